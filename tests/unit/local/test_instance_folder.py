"""The folder of a system: private, locked, with secrets that stay the same."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from flownexus_local.errors import CannotRun
from flownexus_local.instance import Instance, Secrets, is_running
from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.database_role import DatabaseRole


def test_the_folder_is_for_its_owner_alone(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "system")
    instance.secrets()
    assert stat.S_IMODE(instance.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((instance.folder / "secrets.json").stat().st_mode) == 0o600


def test_a_secret_that_a_newer_version_needs_is_made_once_and_kept(tmp_path: Path) -> None:
    instance = Instance(tmp_path / "one")
    (instance.folder / "secrets.json").write_text('{"console_secret": "old", "nats_passwords": {"api": "kept"}}')
    made = instance.secrets()
    assert (made.console_secret, made.nats_passwords[BusUser.API]) == ("old", "kept")
    assert set(made.nats_passwords) == set(BusUser)
    assert instance.secrets() == made


def _each(secrets: Secrets) -> list[str]:
    values = secrets.model_dump(exclude={"admin_password"}).values()
    return [one for value in values for one in (value.values() if isinstance(value, dict) else [value])]


def test_secrets_are_generated_once_and_differ_between_systems(tmp_path: Path) -> None:
    one = Instance(tmp_path / "one").secrets()
    assert Instance(tmp_path / "one").secrets() == one
    other = Instance(tmp_path / "other").secrets()
    generated = {secret for made in (one, other) for secret in _each(made)}
    assert len(generated) == 2 * (len(Secrets.model_fields) - 3 + len(BusUser) + len(DatabaseRole))
    assert all(len(secret) >= 32 for secret in generated)


def test_a_second_system_in_the_folder_is_shut_out_until_the_first_ends(tmp_path: Path) -> None:
    instance = Instance(tmp_path)
    with instance.locked():
        assert is_running(tmp_path)
        with pytest.raises(CannotRun, match="--folder"), Instance(tmp_path).locked():
            pass
    assert not is_running(tmp_path)
    with Instance(tmp_path).locked():
        pass


def test_a_folder_that_was_never_used_does_not_run(tmp_path: Path) -> None:
    assert not is_running(tmp_path / "nothing here")
    assert not (tmp_path / "nothing here").exists()


def test_a_file_in_the_way_is_one_clear_message(tmp_path: Path) -> None:
    (tmp_path / "system").write_text("")
    with pytest.raises(CannotRun, match=r"cannot be written.*--folder"):
        Instance(tmp_path / "system")


def test_a_folder_of_other_files_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine")
    tmp_path.chmod(0o755)
    with pytest.raises(CannotRun, match="holds other files"):
        Instance(tmp_path)
    assert not is_running(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_erase_takes_the_folder_of_a_stopped_system_and_no_other(tmp_path: Path) -> None:
    system, empty = Instance(tmp_path / "system"), Instance(tmp_path / "empty")
    system.secrets()
    with Instance(system.folder).locked(), pytest.raises(CannotRun, match="is running"):
        system.erase()
    system.erase()
    assert not system.folder.exists()
    with pytest.raises(CannotRun, match="not the folder of a system"):
        empty.erase()
