"""The folder of one system (`.flownexus`): its lock, its secrets, its logs. All of it is the owner's alone."""

from __future__ import annotations

import contextlib
import json
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, field_validator

from flownexus_local import pki, ports, run_notes
from flownexus_local.embedded import places
from flownexus_local.errors import CannotRun
from flownexus_local.ports import Kind
from flownexus_local.private_files import write_private
from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.database_role import DatabaseRole

LOCK, SECRETS = "lock", "secrets.json"


def _secret() -> str:
    return secrets.token_urlsafe(32)


class Secrets(BaseModel):
    """What is generated once and kept. `admin_password` is that of the first administrator, as it was given."""

    model_config = ConfigDict(frozen=True)

    nats_passwords: dict[BusUser, str] = Field(default_factory=dict, validate_default=True)
    postgres_password: str = Field(default_factory=_secret)
    database_password: str = Field(default_factory=_secret)
    role_passwords: dict[DatabaseRole, str] = Field(default_factory=dict, validate_default=True)
    credentials_key: str = Field(default_factory=_secret)
    console_secret: str = Field(default_factory=_secret)
    admin_password: str | None = None

    @field_validator("nats_passwords")
    @classmethod
    def _of_each_user(cls, kept: dict[BusUser, str]) -> dict[BusUser, str]:
        return {user: kept.get(user) or _secret() for user in BusUser}

    @field_validator("role_passwords")
    @classmethod
    def _of_each_role(cls, kept: dict[DatabaseRole, str]) -> dict[DatabaseRole, str]:
        return {role: kept.get(role) or _secret() for role in DatabaseRole}


class Instance:
    """One system's folder. Made with mode 700; raises CannotRun if it cannot be written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.absolute()
        try:
            if self.folder.is_dir() and not _is_ours(self.folder):
                raise CannotRun(f"{self.folder} holds other files: name a folder of its own with --folder")
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self.logs.mkdir(exist_ok=True)
            self.runs.mkdir(exist_ok=True)
            (self.folder / ".gitignore").write_text("*\n")
        except OSError as error:
            raise CannotRun(
                f"{self.folder} cannot be written ({error.strerror}): choose another place with --folder"
            ) from None

    @property
    def logs(self) -> Path:
        """The folder of the logs, one for each process."""
        return self.folder / "logs"

    @property
    def runs(self) -> Path:
        """The folder of the notes about running processes."""
        return self.folder / "run"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for the time of the block. Raises CannotRun if another process does."""
        lock = _lock(self.folder)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise CannotRun(
                f"a system is running in {self.folder} already: stop it first, or start a second one beside it with "
                "its own --folder and its own ports"
            ) from None
        try:
            yield
        finally:
            lock.release()

    def secrets(self) -> Secrets:
        """The secrets of this system, generated at the first call that needs them."""
        try:
            text = self._secrets_file.read_text()
        except FileNotFoundError:
            text = "{}"
        kept = Secrets.model_validate_json(text)
        if kept.model_dump(mode="json") != json.loads(text):
            self.keep(kept)
        return kept

    def keep(self, changed: Secrets) -> None:
        """Replace the secrets of this system."""
        write_private(self._secrets_file, changed.model_dump_json(indent=2) + "\n")

    def port(self, name: str, kind: Kind = "tcp") -> int:
        """A free port for an inner part: the one it had last time if that is free still, else a new one, kept."""
        path = self.folder / "ports.json"
        kept: dict[str, int] = json.loads(path.read_text()) if path.exists() else {}
        chosen = ports.pick(kind, kept.get(name))
        while chosen in (number for other, number in kept.items() if other != name):
            chosen = ports.pick(kind)
        write_private(path, json.dumps(kept | {name: chosen}, indent=2) + "\n")
        return chosen

    def erase(self) -> None:
        """Delete the folder and the data that is kept for it elsewhere. Raises CannotRun if the system runs."""
        if not (self.folder / SECRETS).exists():
            raise CannotRun(f"{self.folder} is not the folder of a system")
        with self.locked():
            run_notes.end_leftovers(self.runs)
            places.erase_data(self.folder)
            shutil.rmtree(self.folder)

    @property
    def _secrets_file(self) -> Path:
        return self.folder / SECRETS


def is_running(folder: Path) -> bool:
    """Whether a system runs in the folder now."""
    if not (folder / LOCK).exists():
        return False
    lock = _lock(folder.absolute())
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return True
    lock.release()
    return False


def _lock(folder: Path) -> FileLock:
    # is_singleton off and thread_local off: two locks of one process shut each other out like those of two.
    return FileLock(folder / LOCK, mode=0o600, thread_local=False)


def _is_ours(folder: Path) -> bool:
    names = {path.name for path in folder.iterdir()}
    return bool(names & {LOCK, SECRETS}) or names <= {"logs", "run", ".gitignore", pki.FOLDER}
