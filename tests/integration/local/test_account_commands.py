"""`flownexus user`, `token` and `audit`."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext
from psycopg.rows import dict_row

from flownexus_api import accounts, passwords
from integration.local.terminal import Terminal

if TYPE_CHECKING:
    from conftest import ServiceFactory

LONG = "quite another pass phrase"


@pytest.fixture
def terminal(database_url: str) -> Terminal:
    accounts.add_user(database_url, "admin", "administrator", LONG)
    return Terminal({"FLOWNEXUS_DATABASE_URL": database_url})


def user(database_url: str, name: str) -> dict[str, object]:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        [row] = connection.execute("select * from app_user where name = %s", [name]).fetchall()
    return row


def test_users_are_added_changed_and_removed(terminal: Terminal, database_url: str) -> None:
    said = terminal.run("user", "add", "otto", "--role", "operator")
    password = said.strip().rpartition(" ")[2]
    otto = user(database_url, "otto")
    assert passwords.verify(str(otto["password_hash"]), password)
    assert otto["must_change_password"]
    terminal.run("user", "role", "otto", "viewer")
    terminal.run("user", "disable", "otto")
    listed = terminal.run("user", "list")
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        ["admin", "administrator", "password"],
        ["otto", "viewer", "disabled"],
    ]
    terminal.run("user", "enable", "otto")
    again = terminal.run("user", "reset", "otto").strip().rpartition(" ")[2]
    assert passwords.verify(str(user(database_url, "otto")["password_hash"]), again)
    terminal.run("user", "delete", "otto")
    assert "no user 'otto'" in terminal.run("user", "delete", "otto", expected=2)
    with psycopg.connect(database_url) as connection:
        found = connection.execute("select action from audit_entry where target = 'otto' order by id").fetchall()
    assert [action for (action,) in found] == [
        "user.created", "user.changed", "user.changed", "user.changed", "password.reset", "user.deleted",
    ]  # fmt: skip


def test_a_password_of_ones_own_meets_the_rules_and_stays(terminal: Terminal, database_url: str) -> None:
    refused = terminal.run("user", "add", "otto", "--role", "viewer", "--ask", typed="short\nshort\n", expected=2)
    assert "15 to 1024 characters" in refused
    said = terminal.run("user", "add", "otto", "--role", "viewer", "--ask", typed=f"{LONG}\n{LONG}\n")
    assert LONG not in said.splitlines()[-1]
    assert not user(database_url, "otto")["must_change_password"]


def test_the_last_administrator_stays(terminal: Terminal) -> None:
    assert "make another one first" in terminal.run("user", "delete", "admin", expected=2)


def test_a_program_has_a_token_and_no_password(terminal: Terminal, database_url: str) -> None:
    terminal.run("user", "add", "robot", "--role", "operator", "--program")
    assert user(database_url, "robot")["password_hash"] is None
    assert terminal.run("token", "create", "line 3", "--user", "robot", "--scope", "operate").startswith("fnt_")
    refused = terminal.run("token", "create", "x", "--user", "robot", "--scope", "administer", expected=2)
    assert "of no use to the role operator" in refused
    [line] = terminal.run("token", "list", "--user", "robot").splitlines()[1:]
    assert "line 3" in line
    assert "is revoked" in terminal.run("token", "revoke", line.split()[0], "--user", "robot")
    assert terminal.run("token", "list", "--user", "robot").splitlines()[1:] == []


def test_commands_ask_any_system_with_an_api_token(
    terminal: Terminal, service: ServiceFactory, js: JetStreamContext
) -> None:
    api = service("flownexus_api")
    token = terminal.run("token", "create", "here", "--scope", "administer", "--scope", "read").strip()
    terminal.env |= {"FLOWNEXUS_API_URL": api.health_url, "FLOWNEXUS_API_TOKEN": token}
    assert "No device has registered yet" in terminal.run("endpoints")
    said = terminal.run("audit", "--action", "token")
    assert "installation: token.created admin" in said
    lines = terminal.run("audit", "--format", "ndjson").splitlines()
    assert "token.created" in {json.loads(line)["action"] for line in lines}
    rows = list(csv.DictReader(io.StringIO(terminal.run("audit", "--format", "csv", "--actor", "installation"))))
    assert [row["action"] for row in rows] == ["token.created", "user.created"]
    assert "422" in terminal.run("audit", "--since", "yesterday", expected=2)
    terminal.env["FLOWNEXUS_API_TOKEN"] = "fnt_nonsense"
    assert "401" in terminal.run("endpoints", expected=2)
    assert httpx.get(f"{api.health_url}/readyz").status_code == 200
