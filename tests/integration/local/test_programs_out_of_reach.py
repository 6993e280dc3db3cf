"""PostgreSQL below a folder that only root can enter: copied once, and the data kept elsewhere."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import psycopg
import pytest

from flownexus_local.embedded import places
from flownexus_local.embedded.account import can_run, server_account
from flownexus_local.embedded.postgres import PostgresServer
from flownexus_local.errors import CannotRun
from flownexus_local.program import Account
from harness.embedded import open_folder
from harness.ports import free_port
from harness.server_process import ServerProcess

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another account")


@pytest.fixture
def account() -> Account:
    """The account that PostgreSQL runs under."""
    found = server_account()
    assert found is not None
    return found


@pytest.fixture
def system_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """In place of /var/lib."""
    with open_folder() as folder:
        monkeypatch.setattr(places, "SYSTEM_FOLDERS", (folder,))
        yield folder


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The wheel's files below a folder of mode 700, and Python finds them there first."""
    spec = find_spec(places.PACKAGE)
    assert spec is not None
    assert spec.submodule_search_locations
    installed = Path(spec.submodule_search_locations[0])
    site = tmp_path / "closed" / "site-packages"
    site.mkdir(parents=True)
    site.parent.chmod(0o700)
    for name in (installed.name, f"{installed.name}.libs"):
        if (installed.parent / name).is_dir():
            shutil.copytree(installed.parent / name, site / name, symlinks=True)
    monkeypatch.syspath_prepend(site)
    return site


def test_they_are_copied_once_and_serve_from_there(
    closed: Path, system_folder: Path, account: Account, tmp_path: Path
) -> None:
    assert not can_run(account, str(closed / places.PACKAGE / "pginstall" / "bin" / "postgres"), "--version")
    programs = places.programs(account)
    assert programs.is_relative_to(system_folder / "flownexus")
    copied = (programs / "postgres").stat().st_ino
    assert places.programs(account) == programs
    assert (programs / "postgres").stat().st_ino == copied

    data = places.data_folder(tmp_path, account)
    assert places.data_folder(tmp_path, account) == data
    server = PostgresServer(programs=programs, data=data, port=free_port(), password="a password", account=account)
    server.prepare()
    process = ServerProcess("postgres", server.program, server.is_ready, tmp_path / "postgres.log")
    process.start()
    try:
        url = server.provide("flownexus", "flownexus", "another password")
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
                False,
            )
    finally:
        process.stop()
    places.erase_data(tmp_path)
    assert not data.exists()


def test_a_system_folder_that_others_can_write_is_not_trusted(system_folder: Path) -> None:
    (system_folder / "flownexus").mkdir(mode=0o777)
    (system_folder / "flownexus").chmod(0o777)
    with pytest.raises(CannotRun, match="no place"):
        places.state_root()


def test_data_of_another_major_version_is_named_and_left_alone(
    system_folder: Path, account: Account, tmp_path: Path
) -> None:
    data = places.data_folder(tmp_path, account)
    (data / "PG_VERSION").write_text("9\n")
    server = PostgresServer(places.programs(account), data, free_port(), "a password", account)
    with pytest.raises(CannotRun, match="PostgreSQL 9's"):
        server.prepare()
    assert [path.name for path in data.iterdir()] == ["PG_VERSION"]


def test_root_does_not_start_afresh_over_the_data_of_another_user(account: Account, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    with pytest.raises(CannotRun, match="go on as that user"):
        places.data_folder(tmp_path, account)


def test_data_keeps_its_account_when_another_becomes_possible(
    system_folder: Path, account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = places.data_folder(tmp_path, account)
    others = ("nobody",) if account.name != "nobody" else ("daemon",)
    monkeypatch.setattr("flownexus_local.embedded.account.CANDIDATES", others)
    assert server_account(places.kept_data(tmp_path)) == account
    assert data.owner() == account.name
