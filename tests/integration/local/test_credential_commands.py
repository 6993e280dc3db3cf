"""`flownexus credentials`, over a running api."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from nats.js import JetStreamContext

from flownexus_api import accounts
from integration.local.terminal import Terminal

if TYPE_CHECKING:
    from conftest import ServiceFactory

KEY = bytes(range(16)).hex()


@pytest.fixture
def terminal(js: JetStreamContext, service: ServiceFactory, database_url: str) -> Terminal:
    """With a token that is good for credentials alone."""
    api = service("flownexus_api", FLOWNEXUS_CREDENTIALS_KEY="a key of the tests and of nobody else")
    accounts.add_user(database_url, "admin", "administrator", "correct horse battery")
    terminal = Terminal({"FLOWNEXUS_DATABASE_URL": database_url, "FLOWNEXUS_API_URL": api.health_url})
    terminal.env["FLOWNEXUS_API_TOKEN"] = terminal.run("token", "create", "here", "--scope", "credentials").strip()
    return terminal


def test_credentials_are_made_listed_rotated_revoked_and_forgotten(terminal: Terminal, tmp_path: Path) -> None:
    id_, endpoint, _, identity, _, key = terminal.run("credentials", "create", "device-1").split()
    assert (endpoint, identity, len(key)) == ("device-1", "device-1", 32)
    (tmp_path / "key").write_text(f"{KEY}\n")
    given = terminal.run("credentials", "create", "device-2", "--identity", "i", "--key-file", str(tmp_path / "key"))
    assert given.split()[1:] == ["device-2", "psk", "i"]
    terminal.run("credentials", "create", "device-3", "--ask", typed=f"{KEY}\n")
    terminal.run("credentials", "create", "device-4", "--subject", "pump", "--days", "20")
    listed = [line.split() for line in terminal.run("credentials", "list").splitlines()]
    assert listed[0] == ["ID", "ENDPOINT", "STATE", "SHOWS", "ENDS"]
    assert [line[1:3] for line in listed[1:]] == [[f"device-{number}", "active"] for number in range(1, 5)]
    assert terminal.run("credentials", "list", "--expiring", "30").splitlines()[1].split()[-2:] == ["19", "d"]
    rotated = terminal.run("credentials", "rotate", id_, "--overlap-days", "7").split()
    assert rotated[1:4] == ["device-1", "psk", "device-1"]
    shown = json.loads(terminal.run("credentials", "show", id_))
    assert (shown["until_used"], "key" in shown) == (rotated[0], False)
    assert terminal.run("credentials", "revoke", id_) == "psk device-1 of device-1 is revoked\n"
    assert [line.split()[0] for line in terminal.run("credentials", "list", "--state", "revoked").splitlines()[1:]] == [
        id_
    ]
    assert terminal.run("credentials", "delete", id_) == "psk device-1 of device-1 is gone\n"
    assert terminal.run("credentials", "list", "--state", "revoked") == "there is none\n"

    assert "404" in terminal.run("credentials", "revoke", id_, expected=2)
    assert "choose one" in terminal.run("credentials", "create", "d", "--subject", "x", "--identity", "i", expected=2)
    assert "choose one" in terminal.run("credentials", "create", "d", "--ask", "--key-file", "x", expected=2)
    assert "needs --overlap-days" in terminal.run("credentials", "rotate", rotated[0], "--by-time-alone", expected=2)
    assert "cannot be read" in terminal.run("credentials", "create", "d", "--key-file", "/no/such", expected=2)
    refused = terminal.run("credentials", "create", "d", "--key-file", "-", typed="12345678", expected=2)
    assert ("16 to 64 bytes" in refused, "12345678" in refused) == (True, False)


def test_files_are_imported_as_a_whole_and_exported(terminal: Terminal, tmp_path: Path) -> None:
    file = tmp_path / "fleet.csv"
    file.write_text(f"endpoint,type,identity,key,subject\na,psk,,{KEY},\nb,psk,,,\nc,x509,,,dns:c.example\n")
    assert "is in order: 3 credentials" in terminal.run("credentials", "import", str(file), "--dry-run")
    made = [line.split() for line in terminal.run("credentials", "import", str(file)).splitlines()]
    assert [(one[1], "key" in one) for one in made] == [("a", False), ("b", True), ("c", False)]
    again = terminal.run("credentials", "import", str(file), expected=2)
    assert "line 2: The identity 'a' is that of credential" in again
    rows = list(csv.DictReader(io.StringIO(terminal.run("credentials", "export", "--type", "psk"))))
    assert [row["identity"] for row in rows] == ["a", "b"]
    assert terminal.run("credentials", "reseal") == "0 sealed anew; all credentials are under the first key now\n"
