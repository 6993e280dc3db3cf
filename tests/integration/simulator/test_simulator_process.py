"""The simulator as a process against the real gateway, and what it refuses to do."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import httpx
import pytest
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_local.program import base_environment
from flownexus_schemas.events import EndpointDeregistered, EndpointRegistered, ValuesReported, parse_event
from flownexus_schemas.subjects import Stream
from harness.fleet import RunningFleet, Sent, values_of
from harness.ports import free_port
from harness.waiting import until


def coap_port(service: ServiceFactory) -> int:
    """The port of a gateway that runs."""
    return int(service("flownexus_gateway").env["FLOWNEXUS_COAP_PORT"])


async def events(js: JetStreamContext) -> list[object]:
    """Everything in the stream of events."""
    last = (await js.stream_info(Stream.EVENTS)).state.last_seq
    return [parse_event((await js.get_msg(Stream.EVENTS, number)).data or b"") for number in range(1, last + 1)]


@pytest.mark.parametrize("misfortune", [(), ("--loss=0.1", "--duplicates=0.1", "--seed=5")])
async def test_what_is_acknowledged_is_in_the_stream_once(
    js: JetStreamContext, service: ServiceFactory, tmp_path: Path, misfortune: tuple[str, ...]
) -> None:
    fleet = RunningFleet(
        tmp_path / "fleet", coap_port(service), "--devices=5", "--rate=20", "--count=60", "--lifetime=60", *misfortune
    )
    summary = fleet.finish()
    assert summary["registrations"] >= 5
    assert summary["notifications"] == 60
    assert summary["acknowledged"] >= 55
    if misfortune:
        assert summary["retransmissions"] > 0
    reported = Counter(
        Sent(event.subject, record.path, round(record.time.timestamp() * 1_000_000), float(record.value))
        for event in await events(js)
        if isinstance(event, ValuesReported)
        for record in event.data.records
        if record.path.startswith(("3303/", "10300/"))
    )
    acknowledged = values_of(fleet.ledger(), acknowledged=True)
    assert {path.split("/")[0] for _, path, _, _ in acknowledged} == {"3303", "10300"}
    assert acknowledged <= reported.keys()
    assert max(reported[value] for value in acknowledged) == 1


async def test_a_stopped_fleet_deregisters(js: JetStreamContext, service: ServiceFactory, tmp_path: Path) -> None:
    health_port = free_port()
    fleet = RunningFleet(
        tmp_path / "fleet", coap_port(service), "--devices=3", "--interval=0.2", f"--health-port={health_port}"
    )

    async def all_registered() -> int | None:
        count = sum(isinstance(event, EndpointRegistered) for event in await events(js))
        return count if count == 3 else None

    registered: int = await until(all_registered, 20, "three registrations")
    assert registered == 3
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{health_port}", trust_env=False) as client:
        assert (await client.get("/readyz")).status_code == 200
        assert "flownexus_simulator_registered 3.0" in (await client.get("/metrics")).text
    summary = fleet.stop()
    assert (summary["registered"], summary["deregistrations"]) == (3, 3)
    assert sum(isinstance(event, EndpointDeregistered) for event in await events(js)) == 3


def test_a_fleet_without_a_server_stops_cleanly(tmp_path: Path) -> None:
    fleet = RunningFleet(tmp_path / "fleet", free_port("udp"), "--devices=3", "--duration=1")
    assert fleet.finish(timeout_s=20)["registered"] == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--server=coap://192.0.2.1",), "another machine"),
        (("--server=http://127.0.0.1",), "write coap://host"),
        (("--server=coap://127.0.0.1:99999",), "is no server"),
        (("--server=coaps://127.0.0.1",), "coaps:// and --psk-keys belong together"),
        (("--server=coaps://127.0.0.1", "--psk-keys=/nowhere/at/all"), "is not read"),
        (("--rate=1", "--interval=1"), "not both"),
        (("--ledger=/nowhere/at/all",), "cannot start"),
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(options: tuple[str, ...], reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flownexus_simulator", *options],
        env=base_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 2
    assert reason in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""
