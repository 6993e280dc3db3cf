"""connection.json: what is written can be read back, by its owner alone; what cannot be read says why."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from flownexus_local.connection import Connection, connection_file, read_connection, write_connection
from flownexus_local.errors import CannotRun

CONNECTION = Connection(
    api_url="http://127.0.0.1:8000",
    console_url="http://127.0.0.1:8080",
    admin_user="admin",
    admin_password="correct horse",
    nats_url="nats://flownexus:secret@127.0.0.1:4222",
    integrator_nats_url="nats://integrator:secret@127.0.0.1:4222",
    database_url="postgresql://flownexus:secret@127.0.0.1:5432/flownexus",
    grafana_database_url="postgresql://flownexus_grafana:secret@127.0.0.1:5432/flownexus",
    coap_host="127.0.0.1",
    coap_port=5683,
    health={"gateway": "http://127.0.0.1:9100"},
)


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    write_connection(tmp_path, CONNECTION)
    assert read_connection(tmp_path) == CONNECTION


def test_it_is_for_its_owner_alone_even_where_an_open_file_was_before(tmp_path: Path) -> None:
    connection_file(tmp_path).touch(mode=0o644)
    write_connection(tmp_path, CONNECTION)
    assert stat.S_IMODE(connection_file(tmp_path).stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["connection.json"]


def test_a_folder_without_a_system_says_how_to_start_one(tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="flownexus up"):
        read_connection(tmp_path)


def test_a_damaged_file_is_named_without_its_contents(tmp_path: Path) -> None:
    connection_file(tmp_path).write_text('{"admin_password": "correct horse"}')
    with pytest.raises(CannotRun, match=r"connection\.json is damaged") as raised:
        read_connection(tmp_path)
    assert "correct horse" not in str(raised.value)
