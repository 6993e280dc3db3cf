"""Users as the installation makes them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from flownexus_api import accounts, passwords
from flownexus_schemas.errors import Conflict, InvalidRequest, Unavailable
from harness.embedded import RunningPostgres
from harness.ports import free_port


def rows(database_url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(query).fetchall()


def test_the_first_administrator_has_a_generated_password(database_url: str) -> None:
    password = accounts.ensure_first_administrator(database_url)
    assert password is not None
    [(name, role, password_hash)] = rows(database_url, "select name, role, password_hash from app_user")
    assert (name, role) == ("admin", "administrator")
    assert str(password_hash).startswith("$argon2id$")
    assert passwords.verify(str(password_hash), password)


def test_where_there_is_a_user_no_administrator_is_made(database_url: str) -> None:
    accounts.add_user(database_url, "vera", "viewer", None)
    assert accounts.ensure_first_administrator(database_url) is None
    assert rows(database_url, "select name from app_user") == [("vera",)]


def test_two_installations_at_once_make_one_administrator(database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(accounts.ensure_first_administrator, [database_url] * 4))
    assert len([password for password in made if password]) == 1
    assert rows(database_url, "select count(*) from app_user") == [(1,)]


def test_an_added_user_is_in_the_audit(database_url: str) -> None:
    assert accounts.add_user(database_url, "otto", "operator", "a good password") == "a good password"
    found = rows(database_url, "select actor, action, target, details from audit_entry")
    assert found == [("installation", "user.created", "otto", {"role": "operator"})]


def test_a_name_is_taken_once(database_url: str) -> None:
    accounts.add_user(database_url, "otto", "operator", None)
    with pytest.raises(Conflict, match="otto"):
        accounts.add_user(database_url, "otto", "viewer", None)


@pytest.mark.parametrize(
    ("name", "role", "password"),
    [("", "viewer", None), (" x", "viewer", None), ("a\0b", "viewer", None), ("x", "root", None), ("x", "viewer", "1")],
)
def test_what_cannot_be_a_user_is_refused(database_url: str, name: str, role: str, password: str | None) -> None:
    with pytest.raises(InvalidRequest):
        accounts.add_user(database_url, name, role, password)
    assert rows(database_url, "select name from app_user") == []


def test_a_database_that_is_away_or_empty_is_unavailable(postgres: RunningPostgres) -> None:
    with pytest.raises(Unavailable):
        accounts.ensure_first_administrator(f"postgresql://x:y@127.0.0.1:{free_port()}/z")
    with pytest.raises(Unavailable):
        accounts.ensure_first_administrator(postgres.create_database())
