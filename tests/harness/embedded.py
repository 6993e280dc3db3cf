"""The real NATS and PostgreSQL from their wheels, for the time of a test."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flownexus_local.embedded import places
from flownexus_local.embedded.account import server_account
from flownexus_local.embedded.nats import NatsServer
from flownexus_local.embedded.postgres import LAPTOP, PostgresServer
from flownexus_local.nats_certificates import NatsFiles
from harness.databases import Databases
from harness.ports import free_port
from harness.scratch import scratch
from harness.server_process import ServerProcess
from harness.service_logins import nats_passwords

UNSAFE_BUT_QUICK = {
    **LAPTOP,
    "fsync": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
}
"""The data of a test need not survive a power cut; they do survive a kill of the server."""


OTHER_PROGRAMS = os.environ.get("TEST_POSTGRES_PROGRAMS")
"""The `bin` folder of another PostgreSQL to test on, such as one with TimescaleDB; the wheel's where it is not set."""

WITH_TIMESCALEDB = {
    "shared_preload_libraries": "timescaledb",
    "timescaledb.telemetry_level": "off",
    # Each database of a test has a scheduler, and each of its policies a worker.
    "max_worker_processes": "400",
    "timescaledb.max_background_workers": "350",
}


class RunningNats(ServerProcess):
    """A nats-server with JetStream; `url` is its owner's, `url_of` gives that of a service's user."""

    def __init__(self, folder: Path, tls: NatsFiles | None = None) -> None:
        server = NatsServer(folder / "nats", free_port(), nats_passwords(), tls)
        server.prepare()
        self.url, self.url_of = server.url(), server.url
        super().__init__("nats-server", server.program, server.is_ready, folder / "nats.log")


class RunningPostgres(ServerProcess, Databases):
    """A PostgreSQL server; `url` is its superuser's."""

    def __init__(self, folder: Path) -> None:
        account = server_account()
        programs = Path(OTHER_PROGRAMS) if OTHER_PROGRAMS else places.programs(account)
        timescaledb = (programs.parent / "lib" / "timescaledb.so").exists()
        server = PostgresServer(
            programs=programs,
            data=folder / "data",
            port=free_port(),
            password=secrets.token_urlsafe(16),
            account=account,
            settings={**UNSAFE_BUT_QUICK, **(WITH_TIMESCALEDB if timescaledb else {})},
        )
        server.prepare()
        Databases.__init__(self, server.url)
        ServerProcess.__init__(self, "postgres", server.program, server.is_ready, folder / "postgres.log")


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that the account of PostgreSQL can enter too; pytest's own are closed to it.

    At the end it goes, and with it what systems in it keep elsewhere.
    """
    folder = Path(tempfile.mkdtemp(prefix="flownexus-test-", dir=scratch()))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for pointer in folder.rglob(places.POINTER):
            places.erase_data(pointer.parent)
        shutil.rmtree(folder)


@contextmanager
def running_nats(folder: Path, tls: NatsFiles | None = None) -> Iterator[RunningNats]:
    """A nats-server with its files in `folder`, over TLS where it has a certificate."""
    server = RunningNats(folder, tls)
    server.start()
    try:
        yield server
    finally:
        server.stop()


@contextmanager
def running_postgres() -> Iterator[RunningPostgres]:
    """A PostgreSQL server with its files in a folder of its own."""
    with open_folder() as folder:
        server = RunningPostgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
