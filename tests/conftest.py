"""Fixtures for every test: the real servers, a migrated database, the real services."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Protocol

import nats
import pytest
from nats.js import JetStreamContext

from flownexus_schemas import jetstream
from harness.containers import NatsContainer, PostgresContainer, nats_container, postgres_container
from harness.embedded import RunningNats, RunningPostgres, running_nats, running_postgres
from harness.services import ServiceProcess

IN_CONTAINERS = os.environ.get("TEST_SERVERS") == "containers"
"""Run NATS and TimescaleDB from their images, where a Docker daemon is; from their wheels otherwise."""

NEED_DATABASE = {"flownexus_ingest", "flownexus_api"}
NEED_NATS = {"flownexus_gateway", "flownexus_ingest", "flownexus_api", "flownexus_operations"}


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
    from flownexus_schemas.tables.upgrade import upgrade

    url = postgres.create_database()
    upgrade(url)
    return postgres.make_template(url)


@pytest.fixture
def database_url(postgres: RunningPostgres | PostgresContainer, migrated_template: str) -> str:
    """A fresh database with all migrations."""
    return postgres.create_database(template=migrated_template)


@pytest.fixture
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ServiceFactory]:
    """Starts services; ends them all. NATS and the database are the fixtures' unless the test names others."""
    started: list[ServiceProcess] = []

    def start(module: str, *, wait: bool = True, **env: str | int) -> ServiceProcess:
        given = {name: str(value) for name, value in env.items()}
        if module in NEED_NATS and "FLOWNEXUS_NATS_URL" not in given:
            given["FLOWNEXUS_NATS_URL"] = request.getfixturevalue("nats_server").url
        if module in NEED_DATABASE and "FLOWNEXUS_DATABASE_URL" not in given:
            given["FLOWNEXUS_DATABASE_URL"] = request.getfixturevalue("database_url")
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
