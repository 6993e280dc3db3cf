"""The account that PostgreSQL runs under: it refuses to run as root."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from flownexus_local.errors import CannotRun
from flownexus_local.program import Account

CANDIDATES = ("flownexus", "postgres", "_postgres", "nobody")


def server_account(data: Path | None = None) -> Account | None:
    """None where we are not root: then PostgreSQL runs as ourselves. The owner of `data`, where that is given.

    Raises CannotRun if root finds nobody to be.
    """
    if os.geteuid() != 0:
        return None
    owner = data.stat().st_uid if data is not None and data.exists() else 0
    kept = [entry.pw_name for entry in pwd.getpwall() if entry.pw_uid == owner != 0]
    for name in (*kept, *CANDIDATES):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        account = Account(name, entry.pw_uid, entry.pw_gid)
        if can_run(account, "/bin/sh", "-c", "exit 0"):
            return account
    raise CannotRun(
        "PostgreSQL does not run as root, and none of the accounts "
        f"{', '.join(CANDIDATES)} can be used: run as another user, or add an account named flownexus"
    )


def can_run(account: Account | None, *argv: str) -> bool:
    """Whether the account can run this command, here and now, with success."""
    try:
        done = subprocess.run(
            argv,
            cwd="/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=30,
            check=False,
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
