"""`flownexus read`, `write` and the others, through the api and the gateway to a simulated device."""

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
SILO = """<LWM2M><Object ObjectType="MODefinition"><Name>Silo</Name><ObjectID>26241</ObjectID>
<ObjectURN>urn:oma:lwm2m:x:26241</ObjectURN><MultipleInstances>Multiple</MultipleInstances>
<Mandatory>Optional</Mandatory><Resources><Item ID="1"><Name>Fill</Name><Operations>R</Operations>
<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Float</Type></Item></Resources>
</Object></LWM2M>"""
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
        database_url=database_url,
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


def test_devices_and_models_are_reached_from_the_command_line(run: Run, tmp_path: Path) -> None:
    read = run("read", NODE, "3/0/1")
    assert (read.returncode, read.stdout) == (0, '3/0/1 = "simulated device"\n'), read.stderr
    both = run("read", NODE, "3/0/0", "3303/0/5701")
    assert set(both.stdout.splitlines()) == {'3/0/0 = "Flow Nexus"', '3303/0/5701 = "Cel"'}

    assert run("write", NODE, "3/0/15", "Europe/Zurich").stdout == "2.04\n"
    assert run("write", NODE, "1/0/2", "3").stdout == "2.04\n"
    assert run("read", NODE, "1/0/2").stdout == "1/0/2 = 3\n"
    unfit = run("write", NODE, "1/0/2", "-x")
    assert unfit.returncode == 2
    assert "1/0/2: the value is a whole number" in unfit.stderr

    assert "</3303/0/5700>" in run("discover", NODE, "3303").stdout
    assert run("observe", NODE, "6/0").returncode == 0
    assert run("observe", NODE, "6/0", "--cancel").returncode == 0

    (tmp_path / "silo.xml").write_text(SILO)
    assert run("model", "add", "silo.xml").stdout == "26241 1.0 Silo\n"
    uploaded = "26241 1.0 Silo (uploaded)\n"
    blocking_until(lambda: uploaded in run("model", "list").stdout, 10, "the model in the list")

    refused = run("execute", NODE, "5/0/2")
    assert refused.returncode == 1
    assert "4.05" in refused.stderr
    assert run("execute", NODE, "3/0/4").stdout == "2.04\n"
