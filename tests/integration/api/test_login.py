"""Logging in, and what a token is good for."""

from __future__ import annotations

import hashlib

import httpx
import psycopg
import pytest
from argon2 import PasswordHasher

from flownexus_api import accounts

PASSWORD = "correct horse battery"


async def log_in(client: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
    return await client.post("/api/v1/auth/token", data={"username": name, "password": password})


def assert_is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_a_token_opens_the_door(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/users/me")
    assert answer.status_code == 200
    me = answer.json()
    assert (me["name"], me["role"], me["api_token"]) == ("vera", "viewer", None)


async def test_a_token_lives_as_long_as_the_settings_say(anonymous: httpx.AsyncClient, database_url: str) -> None:
    accounts.add_user(database_url, "otto", "operator", PASSWORD)
    answer = (await log_in(anonymous, "otto", PASSWORD)).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 900)
    with psycopg.connect(database_url) as connection:
        [(good_s,)] = connection.execute(
            "select extract(epoch from expires_at - created_at) from app_session"
        ).fetchall()
    assert good_s == 900


@pytest.mark.parametrize(
    ("name", "password"), [("vera", "wrong"), ("nobody", PASSWORD), ("ve\0ra", PASSWORD), ("x", "y" * 5000)]
)
async def test_a_wrong_login_tells_nothing_but_that(client: httpx.AsyncClient, name: str, password: str) -> None:
    answer = await log_in(client, name, password)
    assert_is_problem(answer, 401)
    assert answer.json()["detail"] == "The user name or the password is wrong."


async def test_logins_are_in_the_audit(client: httpx.AsyncClient, database_url: str) -> None:
    await log_in(client, "vera", "wrong password")
    await log_in(client, "mallory", "wrong password")
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select actor, action, source_address from audit_entry where action like 'login%' order by id"
        ).fetchall()
        [(seen,)] = connection.execute("select last_login_at is not null from app_user").fetchall()
    assert found == [
        ("vera", "login.succeeded", "127.0.0.1"),
        ("vera", "login.failed", "127.0.0.1"),
        ("mallory", "login.failed", "127.0.0.1"),
    ]
    assert seen


async def test_guessing_is_slowed_down_even_for_the_right_password(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert_is_problem(await log_in(client, "vera", "wrong password"), 401)
    answer = await log_in(client, "vera", PASSWORD)
    assert_is_problem(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_disabled_user_is_out_at_once(client: httpx.AsyncClient, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("update app_user set disabled = true")
    assert_is_problem(await client.get("/api/v1/users/me"), 401)
    assert_is_problem(await log_in(client, "vera", PASSWORD), 401)


@pytest.mark.parametrize(
    "bad", ["fns_" + "x" * 43, "fnt_" + "x" * 43, "nonsense", "", "\u00ff" * 9, "eyJhbGciOiJub25lIn0.e30."]
)
async def test_a_token_that_is_not_good_is_refused(client: httpx.AsyncClient, bad: str) -> None:
    answer = await client.get("/api/v1/users/me", headers={b"Authorization": f"Bearer {bad}".encode("latin-1")})
    assert_is_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_token_is_not_kept_but_its_hash_is(client: httpx.AsyncClient, database_url: str) -> None:
    token = client.headers["authorization"].removeprefix("Bearer ")
    with psycopg.connect(database_url) as connection:
        [(kept, everything)] = connection.execute("select token_hash, app_session::text from app_session").fetchall()
    assert kept == hashlib.sha256(token.encode()).digest()
    assert token not in everything


async def test_an_old_hash_is_made_anew_at_the_login(client: httpx.AsyncClient, database_url: str) -> None:
    old = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD)
    with psycopg.connect(database_url) as connection:
        connection.execute("update app_user set password_hash = %s", [old])
    assert (await log_in(client, "vera", PASSWORD)).status_code == 200
    with psycopg.connect(database_url) as connection:
        [(kept,)] = connection.execute("select password_hash from app_user").fetchall()
    assert kept.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (await log_in(client, "vera", PASSWORD)).status_code == 200
