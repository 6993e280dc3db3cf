"""The `flownexus` command where a simulated device is registered and observed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_api.accounts import ensure_first_administrator
from flownexus_local.connection import Connection, write_connection
from harness.fleet import RunningFleet
from harness.rows import rows
from harness.system import command
from harness.waiting import blocking_until

NODE = "sim-00000"
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(js: JetStreamContext, service: ServiceFactory, database_url: str, tmp_path: Path) -> Iterator[Run]:
    """Runs `flownexus` where a device is registered and observed."""
    gateway, api = service("flownexus_gateway"), service("flownexus_api")
    service("flownexus_ingest")
    coap_port = int(gateway.env["FLOWNEXUS_COAP_PORT"])
    connection = Connection(
        api_url=api.health_url,
        console_url="",
        admin_user="admin",
        admin_password=ensure_first_administrator(database_url),
        nats_url="",
        integrator_nats_url="",
        database_url=database_url,
        grafana_database_url="",
        coap_host="127.0.0.1",
        coap_port=coap_port,
        health={},
    )
    write_connection(tmp_path, connection)
    fleet = RunningFleet(tmp_path / "fleet", coap_port, "--devices=1")

    def start(*arguments: str) -> subprocess.CompletedProcess[str]:
        program = command(tmp_path, *arguments, env={"FLOWNEXUS_FOLDER": str(tmp_path)})
        return subprocess.run(
            program.argv, env=program.env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )

    try:
        blocking_until(lambda: len(rows(database_url, "select 1 from observation_outcome")) == 2, 30, "observations")
        yield start
    finally:
        fleet.kill()
