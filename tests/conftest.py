"""Fixtures for every test: the real servers, a migrated database, the real services."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import nats
import pytest
from nats.js import JetStreamContext

from flownexus_schemas import jetstream
from flownexus_schemas.tables.upgrade import provide_roles, upgrade
from harness.containers import NatsContainer, PostgresContainer, nats_container, postgres_container
from harness.embedded import RunningNats, RunningPostgres, running_nats, running_postgres
from harness.scratch import scratch
from harness.service_logins import BUS_USERS, ROLE_PASSWORDS, ROLES, as_role
from harness.services import ServiceProcess

IN_CONTAINERS = os.environ.get("TEST_SERVERS") == "containers"
"""Run NATS and TimescaleDB from their images, where a Docker daemon is; from their wheels otherwise."""


def pytest_configure() -> None:
    """What a run leaves is in memory where that has room for it; Ctrl-C ends what it ends in a terminal."""
    tempfile.tempdir = str(scratch())
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # A shell starts what it puts in the background so; programs that a test interrupts would ignore that too.
        signal.signal(signal.SIGINT, signal.default_int_handler)


class ServiceFactory(Protocol):
    """`service(module, NAME=value, ...)`; `wait=False` does not wait for /readyz."""

    def __call__(self, module: str, *, wait: bool = True, **env: str | int) -> ServiceProcess: ...


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[RunningNats | NatsContainer]:
    """A fresh nats-server with JetStream. Its streams are made by `js`."""
    with nats_container(tmp_path) if IN_CONTAINERS else running_nats(tmp_path) as server:
        yield server


@pytest.fixture
async def js(nats_server: RunningNats | NatsContainer) -> AsyncIterator[JetStreamContext]:
    """JetStream on `nats_server`, with our streams and buckets."""
    client = await nats.connect(nats_server.url, max_reconnect_attempts=-1, reconnect_time_wait=0.1)
    try:
        context = client.jetstream()
        await jetstream.provision(context)
        yield context
    finally:
        await client.close()


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPostgres | PostgresContainer]:
    """One PostgreSQL server for the whole run. Whoever kills it starts it again."""
    folder = tmp_path_factory.mktemp("postgres")
    with postgres_container(folder) if IN_CONTAINERS else running_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def migrated_template(postgres: RunningPostgres | PostgresContainer) -> str:
    """The name of a database with all migrations, for copies."""
    url = postgres.create_database()
    provide_roles(url, ROLE_PASSWORDS)
    upgrade(url)
    return postgres.make_template(url)


@pytest.fixture
def database_url(postgres: RunningPostgres | PostgresContainer, migrated_template: str) -> Iterator[str]:
    """A fresh database with all migrations."""
    url = postgres.create_database(template=migrated_template)
    yield url
    postgres.end(url)


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceFactory]:
    """Starts services; ends them all. NATS and the database are the fixtures' unless the test names others, and the
    service is a user of its own there."""
    started: list[ServiceProcess] = []

    def start(module: str, *, wait: bool = True, **env: str | int) -> ServiceProcess:
        given = {name: str(value) for name, value in env.items()}
        if (user := BUS_USERS.get(module)) and "FLOWNEXUS_NATS_URL" not in given:
            given["FLOWNEXUS_NATS_URL"] = request.getfixturevalue("nats_server").url_of(user)
        if (role := ROLES.get(module)) and "FLOWNEXUS_DATABASE_URL" not in given:
            url = request.getfixturevalue("database_url")
            given["FLOWNEXUS_DATABASE_URL"] = as_role(url, role)
        process = ServiceProcess(module, given, tmp_path)
        started.append(process)
        if wait:
            process.start()
        else:
            process.launch()
        return process

    yield start
    for process in reversed(started):
        process.kill()
    for process in started:
        # A refused message is nothing that a caller sees: it is missing, and so is its reply.
        # A NATS that was started again does not know any more who waits for which reply.
        said = (line for line in process.log_text().lower().splitlines() if "_inbox_" not in line)
        refused = [line for line in said if "permissions violation" in line]
        assert not refused, f"{process.module} does what flownexus_schemas.bus_users does not let it do: {refused[0]}"
