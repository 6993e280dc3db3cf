"""`flownexus doctor` where a system runs: what waits in the quarantine."""

from __future__ import annotations

import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nats.js import JetStreamContext

from flownexus_local.connection import Connection, write_connection
from flownexus_local.instance import Instance
from flownexus_schemas.credentials import X509Credential
from flownexus_schemas.subjects import Bucket
from harness.event_messages import EventMessage, publish, reported
from harness.ports import free_port
from harness.services import ServiceProcess
from harness.system import command
from harness.waiting import blocking_until, until
from integration.local.terminal import Terminal

if TYPE_CHECKING:
    from conftest import ServiceFactory


def connection_of(service: ServiceProcess) -> Connection:
    """Of a system that has this service alone."""
    return Connection(
        api_url="",
        console_url="",
        admin_user="admin",
        admin_password=None,
        nats_url="",
        integrator_nats_url="",
        database_url="",
        grafana_database_url="",
        coap_host="127.0.0.1",
        coap_port=0,
        health={service.module.removeprefix("flownexus_"): service.health_url},
    )


async def test_doctor_says_what_could_not_be_decoded_or_processed(
    js: JetStreamContext, service: ServiceFactory, tmp_path: Path
) -> None:
    ingest = service("flownexus_ingest")
    folder = tmp_path / "system"
    instance = Instance(folder)
    write_connection(folder, connection_of(ingest))

    def doctor() -> str:
        program = command(tmp_path, "doctor", env={"FLOWNEXUS_FOLDER": str(folder)})
        ended = subprocess.run(
            program.argv, env=program.env, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
        )
        return ended.stdout

    def both() -> str | None:
        said = doctor()
        return said if "dead letters" in said and "undecoded" in said else None

    with instance.locked():
        assert "quarantine   is empty" in doctor()
        undecoded = reported("dev", datetime(2026, 3, 1, 12, tzinfo=UTC), payload="wgA=", undecoded="truncated")
        await publish(js, undecoded, undecoded._replace(id="2"), EventMessage("lwm2m.event.dev.reported", b"{}", "3"))
        said: str = blocking_until(both, 30, "the findings")
    assert "✗ undecoded    reports of devices that could not be decoded: 2" in said
    assert "✗ dead letters messages that could not be processed: 1" in said
    assert "flownexus undecoded list" in said
    assert "flownexus dead-letters list" in said


async def test_doctor_says_which_certificates_and_how_many_credentials_end_soon(
    js: JetStreamContext, service: ServiceFactory, tmp_path: Path
) -> None:
    folder = tmp_path / "system"
    terminal = Terminal({"FLOWNEXUS_FOLDER": str(folder)})
    ports = [f"--{name}-port={free_port()}" for name in ("coap", "coaps", "api", "console")]
    terminal.run("ca", "init")
    terminal.run("ca", "server")
    terminal.run("ca", "device", "pump-1", "--files-only")
    assert "its end" not in terminal.run("doctor", *ports)
    terminal.run("ca", "server", "--renew", "--days", "20")
    terminal.run("ca", "device", "pump-2", "--files-only", "--days", "29")
    said = terminal.run("doctor", *ports, expected=1)
    assert f"✗ certificate  {folder}/pki/server.pem, its end: in 19 d" in said
    assert "✗ certificates of devices that end within 30 days, or have: 1" in said

    api = service("flownexus_api")
    credential = X509Credential(
        id="c", endpoint="pump-1", subject="cn:pump-1", created_at=0.0, expires_at=time.time() + 9 * 86_400
    )
    instance = Instance(folder)
    write_connection(folder, connection_of(api))
    with instance.locked():
        assert "credentials" not in terminal.run("doctor", *ports, expected=1)
        await (await js.key_value(Bucket.CREDENTIALS)).put("c", credential.model_dump_json().encode())
        await until(lambda: '"credential.expires_soon"' in api.log_text(), 10, "the warning in the log")
        said = terminal.run("doctor", *ports, expected=1)
    assert "✗ credentials  of devices that end within 30 days: 1" in said
