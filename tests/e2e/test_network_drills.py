"""A fleet on a bad network, and under a gateway that is killed: nothing acknowledged is lost, nothing stored twice, and
no device has to register again.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness.embedded import open_folder
from harness.fleet import RunningFleet, Sent, stored_values, values_of
from harness.load_balancer import LoadBalancer
from harness.services import ServiceProcess
from harness.system import RunningSystem
from harness.waiting import blocking_until

pytestmark = pytest.mark.timeout(600)

CATCH_UP_S = 30


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """One system for all drills, with the settings that it has on a laptop."""
    with open_folder() as folder:
        running = RunningSystem(folder)
        running.start()
        yield running
        running.stop()


def start(system: RunningSystem, prefix: str, *options: str) -> RunningFleet:
    """A fleet whose endpoints begin with `prefix`."""
    return RunningFleet(system.folder.parent / prefix, system.coap_port, f"--prefix={prefix}", *options)


@pytest.fixture
def second_gateway(system: RunningSystem) -> Iterator[ServiceProcess]:
    """Another gateway on the system's bus."""
    env = {"FLOWNEXUS_NATS_URL": system.connection.nats_url, "FLOWNEXUS_GATEWAY_ID": "gw-2"}
    gateway = ServiceProcess("flownexus_gateway", env, system.folder.parent)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.kill()


def require_every_value_once(system: RunningSystem, fleet: RunningFleet, prefix: str, summary: dict[str, Any]) -> None:
    """What was acknowledged is in the tables, and nothing that was sent is there twice."""
    ledger, url = fleet.ledger(), system.connection.database_url
    acknowledged = values_of(ledger, acknowledged=True)
    assert acknowledged, summary

    def missing() -> set[Sent]:
        return acknowledged - stored_values(url, prefix).keys()

    late = time.monotonic() + CATCH_UP_S
    blocking_until(lambda: not missing() or time.monotonic() > late, CATCH_UP_S + 30, "the end of the wait")
    assert not missing(), f"{len(missing())} lost, such as {sorted(missing())[:3]}; {summary}"
    sent = values_of(ledger, acknowledged=False)
    doubled = sorted(value for value, times in stored_values(url, prefix).items() if times > 1 and value in sent)
    assert not doubled, f"{len(doubled)} doubled, such as {doubled[:3]}; {summary}"


def observed_values(system: RunningSystem, prefix: str) -> int:
    """How many devices of the fleet have values of both of their observations in the tables."""
    return len(
        {(sent.endpoint, sent.path.split("/")[0]) for sent in stored_values(system.connection.database_url, prefix)}
    )


def test_after_a_kill_of_the_gateway_2000_devices_are_understood_without_registering_again(
    system: RunningSystem,
) -> None:
    devices, prefix = 2000, "restart"
    fleet = start(
        system, prefix, f"--devices={devices}", "--rate=400", "--start-rate=150", "--lifetime=600", "--duration=55"
    )
    try:
        blocking_until(lambda: observed_values(system, prefix) == 2 * devices, 180, "values of every observation")
        killed = system.process_number("gateway")
        os.kill(killed, signal.SIGKILL)
        killed_at = time.time()
        blocking_until(lambda: system.process_number("gateway") != killed, 30, "a new gateway")
        summary = fleet.finish()
    finally:
        fleet.kill()

    assert summary["registrations"] == devices, summary
    assert summary["reset"] == 0, summary
    after = {line["endpoint"] for line in fleet.ledger() if (line["acknowledged"] or 0) > killed_at}
    assert len(after) == devices, f"{devices - len(after)} devices are not understood any more; {summary}"
    require_every_value_once(system, fleet, prefix, summary)


def test_devices_whose_every_datagram_comes_from_another_port_are_served_as_any_other(system: RunningSystem) -> None:
    devices, prefix = 100, "moving"
    fleet = start(
        system, prefix, f"--devices={devices}", "--rate=100", "--start-rate=50", "--lifetime=20", "--duration=25",
        "--rebinding",
    )  # fmt: skip
    try:
        blocking_until(lambda: observed_values(system, prefix) == 2 * devices, 180, "values of every observation")
        with system.api() as client:
            for number in range(0, devices, 10):
                asked = {"operation": "read", "path": "/3/0/0", "timeout_s": 20}
                answer = client.post(f"/api/v1/endpoints/{prefix}-{number:05}/requests", json=asked, timeout=30)
                assert answer.status_code == 200, answer.text
                assert answer.json()["code"] == "2.05", answer.text
        summary = fleet.finish()
    finally:
        fleet.kill()

    assert summary["registrations"] == devices, summary
    assert summary["updates"] > 0, summary
    assert (summary["refusals"], summary["reset"], summary["timed_out"]) == (0, 0, 0), summary
    require_every_value_once(system, fleet, prefix, summary)


def test_a_fifth_lost_and_a_fifth_doubled_both_ways_loses_no_registration_and_doubles_no_row(
    system: RunningSystem,
) -> None:
    devices, prefix = 200, "lossy"
    fleet = start(
        system, prefix, f"--devices={devices}", "--rate=60", "--start-rate=50", "--lifetime=300", "--duration=40",
        "--loss=0.2", "--duplicates=0.2", "--seed=7",
    )  # fmt: skip
    try:
        summary = fleet.finish()
    finally:
        fleet.kill()

    assert summary["retransmissions"] > 100, summary
    assert summary["registered"] == devices, summary
    assert summary["refusals"] == 0, summary
    require_every_value_once(system, fleet, prefix, summary)


def test_devices_that_go_to_and_fro_between_two_gateways_of_which_one_is_killed_are_served_as_by_one(
    system: RunningSystem, second_gateway: ServiceProcess
) -> None:
    """Every fifth datagram of a device goes to the other gateway than the one before, also an answer, also a block."""
    devices, prefix = 200, "roaming"
    options = (
        f"--devices={devices}", "--rate=100", "--start-rate=50", "--lifetime=60", "--duration=60", f"--prefix={prefix}",
    )  # fmt: skip
    servers = (system.coap_port, int(second_gateway.env["FLOWNEXUS_COAP_PORT"]))
    with LoadBalancer(servers, stickiness=0.8) as balancer:
        fleet = RunningFleet(system.folder.parent / prefix, balancer.port, *options)
        try:
            blocking_until(lambda: observed_values(system, prefix) == 2 * devices, 180, "values of every observation")
            assert requests(system, prefix, range(0, devices, 4)) == {(200, "2.05")}
            second_gateway.kill()
            after_kill = requests(system, prefix, range(1, devices, 10))
            second_gateway.start()
            assert requests(system, prefix, range(2, devices, 4)) == {(200, "2.05")}
            summary = fleet.finish()
        finally:
            fleet.kill()

    assert balancer.moves > 10 * devices / 5, "the devices stayed where they were"
    assert after_kill <= {(200, "2.05"), (504, None), (503, None)}, after_kill
    assert summary["registrations"] == devices, summary
    assert (summary["refusals"], summary["reset"]) == (0, 0), summary
    require_every_value_once(system, fleet, prefix, summary)


def requests(system: RunningSystem, prefix: str, numbers: range) -> set[tuple[int, str | None]]:
    """Read a resource of each of these devices, ten at a time; what came of it, as status and the device's code."""
    asked = {"operation": "read", "path": "/3/0/0", "timeout_s": 8}
    with system.api() as client, ThreadPoolExecutor(10) as threads:

        def ask(number: int) -> tuple[int, str | None]:
            answer = client.post(f"/api/v1/endpoints/{prefix}-{number:05}/requests", json=asked, timeout=60)
            return answer.status_code, answer.json().get("code")

        return set(threads.map(ask, numbers))
