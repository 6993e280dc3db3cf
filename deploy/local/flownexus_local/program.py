"""A program to run: what to start, as whom, and how it is asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple


class Account(NamedTuple):
    """An account of the operating system that a program runs under."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True)
class Program:
    """One program and everything that starting it takes."""

    argv: tuple[str, ...]
    cwd: Path
    env: Mapping[str, str] = field(default_factory=dict)
    account: Account | None = None
    stop_signal: int = signal.SIGTERM


def start(program: Program, log: IO[bytes]) -> subprocess.Popen[bytes]:
    """Start it in a session of its own, so that Ctrl-C in the terminal reaches only the supervisor.

    Both output streams go to `log`. Raises OSError if the program cannot be run.
    """
    account = program.account
    return subprocess.Popen(
        program.argv,
        cwd=program.cwd,
        env=dict(program.env),
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )


def base_environment() -> dict[str, str]:
    """What of our own environment every program gets: where to find things, never our settings."""
    kept = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "TZ")
    return {name: os.environ[name] for name in kept if name in os.environ} | {"LC_ALL": "C"}
