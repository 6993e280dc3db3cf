"""The same servers from their container images, for a run with TEST_SERVERS=containers. Needs a Docker daemon."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from testcontainers.core.container import DockerContainer

from flownexus_local.embedded.nats import NatsServer
from flownexus_local.embedded.postgres import PostgresServer
from harness.databases import Databases
from harness.ports import free_port
from harness.service_logins import nats_passwords
from harness.waiting import blocking_until

NATS_IMAGE = "nats:2.15-alpine"
POSTGRES_IMAGE = "timescale/timescaledb:2.29.2-pg17"
"""The images of deploy/compose."""

SETTINGS = [
    argument
    # Each database of a test has a scheduler of TimescaleDB, and each of its policies a worker.
    for setting in ("max_connections=200", "fsync=off", "max_worker_processes=400",
                    "timescaledb.max_background_workers=350")
    for argument in ("-c", setting)
]  # fmt: skip


class ContainerServer:
    """One container with a fixed port of the host, so that it is found there again after a kill and a start."""

    def __init__(self, container: DockerContainer, is_ready: Callable[[], bool]) -> None:
        self._container, self._is_ready = container, is_ready
        self._created = False

    def start(self, timeout_s: float = 60) -> None:
        """Start it, with the data it had, and wait until it is ready."""
        if self._created:
            self._container.get_wrapped_container().start()
        else:
            self._container.start()
            self._created = True
        blocking_until(self._is_ready, timeout_s, f"readiness of {self._container.image}")

    def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        self._container.get_wrapped_container().kill()
        self._container.get_wrapped_container().wait()

    def stop(self) -> None:
        """Ask it to stop and wait; it can be started again."""
        self._container.get_wrapped_container().stop()

    def remove(self) -> None:
        """The end of it and of its data."""
        if self._created:
            self._container.stop()


class NatsContainer(ContainerServer):
    """A nats-server with JetStream."""

    def __init__(self, folder: Path) -> None:
        server = NatsServer(folder, free_port(), nats_passwords())
        self.url, self.url_of = server.url(), server.url
        config = folder / "nats-container.conf"
        config.write_text(json.dumps(server.settings(host="0.0.0.0", port=4222, store="/data")))
        container = (
            DockerContainer(NATS_IMAGE)
            .with_volume_mapping(str(config), "/etc/nats/test.conf", "ro")
            .with_command(["-c", "/etc/nats/test.conf"])
            .with_bind_ports(4222, server.port)
        )
        super().__init__(container, server.is_ready)


class PostgresContainer(ContainerServer, Databases):
    """A PostgreSQL server with TimescaleDB; `url` is its superuser's."""

    def __init__(self, folder: Path) -> None:
        server = PostgresServer(folder, folder, free_port(), secrets.token_urlsafe(16))
        Databases.__init__(self, server.url)
        container = (
            DockerContainer(POSTGRES_IMAGE)
            .with_env("POSTGRES_PASSWORD", server.password)
            .with_env("TIMESCALEDB_TELEMETRY", "off")
            .with_command(["postgres", *SETTINGS])
            .with_bind_ports(5432, server.port)
        )
        # The server that the image first runs for its set-up is on no TCP port: it lets nobody log in from here.
        ContainerServer.__init__(self, container, server.is_ready)


@contextmanager
def nats_container(folder: Path) -> Iterator[NatsContainer]:
    """A nats-server in a container of its own."""
    server = NatsContainer(folder)
    try:
        server.start()
        yield server
    finally:
        server.remove()


@contextmanager
def postgres_container(folder: Path) -> Iterator[PostgresContainer]:
    """A PostgreSQL server in a container of its own."""
    server = PostgresContainer(folder)
    try:
        server.start()
        yield server
    finally:
        server.remove()
