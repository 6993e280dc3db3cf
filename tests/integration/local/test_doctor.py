"""`flownexus doctor` where a system runs: what waits in the quarantine."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from nats.js import JetStreamContext

from flownexus_local.connection import Connection, write_connection
from flownexus_local.instance import Instance
from harness.event_messages import EventMessage, publish, reported
from harness.system import command
from harness.waiting import blocking_until

if TYPE_CHECKING:
    from conftest import ServiceFactory


async def test_doctor_says_what_could_not_be_decoded_or_processed(
    js: JetStreamContext, service: ServiceFactory, tmp_path: Path
) -> None:
    ingest = service("flownexus_ingest")
    folder = tmp_path / "system"
    instance = Instance(folder)
    connection = Connection(
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
        health={"ingest": ingest.health_url},
    )
    write_connection(folder, connection)

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
