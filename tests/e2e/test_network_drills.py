"""Fleets on a bad network, and under a gateway that is killed, over plain CoAP and over DTLS: nothing acknowledged is
lost, nothing stored twice, and no device has to register again or make another handshake.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from flownexus_local.instance import Instance
from harness.embedded import open_folder
from harness.fleet import RunningFleet, Sent, stored_values, values_of
from harness.fleet_keys import give_keys
from harness.load_balancer import LoadBalancer
from harness.metrics import metric_at
from harness.ports import free_port
from harness.rows import rows
from harness.services import ServiceProcess
from harness.system import RunningSystem
from harness.waiting import blocking_until

pytestmark = pytest.mark.timeout(600)

CATCH_UP_S = 60
HANDSHAKE_DATAGRAMS = 6
"""Three of a handshake, Register, and two to spare."""

OBSERVED = """
    select count(distinct (l.endpoint_id, t.object_id))
    from latest_value l join endpoint e on e.id = l.endpoint_id join resource_type t on t.id = l.resource_type_id
    where starts_with(e.name, %s) and t.object_id in (3303, 10300)
"""

NewGroup = Callable[..., "Group"]


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """One system for all drills, with the settings that it has on a laptop."""
    with open_folder() as folder:
        running = RunningSystem(folder)
        running.start()
        yield running
        running.stop()


class Group(RunningFleet):
    """A fleet whose endpoints begin with `prefix`, over DTLS with connection ids where `is_secure`."""

    def __init__(
        self,
        system: RunningSystem,
        prefix: str,
        devices: int,
        *options: str,
        port: int | None = None,
        is_secure: bool = False,
    ) -> None:
        self.system, self.prefix, self.devices, self.is_secure = system, prefix, devices, is_secure
        keys = give_keys(system, prefix, devices) if is_secure else None
        its_own = system.coaps_port if is_secure else system.coap_port
        named = (f"--prefix={prefix}", f"--devices={devices}")
        super().__init__(system.folder.parent / prefix, port or its_own, *named, *options, psk_keys=keys)

    def wait_for_values(self) -> None:
        """Until every device has values of both of its observations in the tables."""
        url, wanted = self.system.connection.database_url, [(2 * self.devices,)]
        what = f"values of every observation of {self.prefix}"
        blocking_until(lambda: rows(url, OBSERVED, f"{self.prefix}-") == wanted, 180, what)

    def require_every_value_once(self, summary: dict[str, Any]) -> None:
        """What was acknowledged is in the tables, and nothing that was sent is there twice."""
        ledger, url = self.ledger(), self.system.connection.database_url
        acknowledged = values_of(ledger, acknowledged=True)
        assert acknowledged, summary

        def missing() -> set[Sent]:
            return acknowledged - stored_values(url, self.prefix).keys()

        late = time.monotonic() + CATCH_UP_S
        blocking_until(lambda: not missing() or time.monotonic() > late, CATCH_UP_S + 30, "the end of the wait")
        assert not missing(), f"{len(missing())} lost, such as {sorted(missing())[:3]}; {summary}"
        sent = values_of(ledger, acknowledged=False)
        doubled = sorted(value for value, times in stored_values(url, self.prefix).items() if times > 1)
        doubled = [value for value in doubled if value in sent]
        assert not doubled, f"{len(doubled)} doubled, such as {doubled[:3]}; {summary}"

    def require_one_handshake_each(self, summary: dict[str, Any]) -> None:
        expected = self.devices if self.is_secure else 0
        assert (summary["handshakes"], summary["refused_handshakes"]) == (expected, 0), summary


@pytest.fixture
def group(system: RunningSystem) -> Iterator[NewGroup]:
    """Starts fleets; kills what is left of them."""
    started: list[Group] = []

    def start(prefix: str, devices: int, *options: str, **where: Any) -> Group:
        started.append(Group(system, prefix, devices, *options, **where))
        return started[-1]

    yield start
    for one in started:
        one.kill()


@pytest.fixture
def second_gateway(system: RunningSystem) -> Iterator[ServiceProcess]:
    """Another gateway on the system's bus."""
    env = {
        "FLOWNEXUS_NATS_URL": system.connection.nats_url,
        "FLOWNEXUS_GATEWAY_ID": "gw-2",
        "FLOWNEXUS_COAPS_PORT": str(free_port("udp")),
        "FLOWNEXUS_CREDENTIALS_KEY": Instance(system.folder).secrets().credentials_key,
    }
    gateway = ServiceProcess("flownexus_gateway", env, system.folder.parent)
    gateway.start()
    try:
        yield gateway
    finally:
        gateway.kill()


def test_after_a_kill_of_the_gateway_2200_devices_are_understood_without_registering_again(
    system: RunningSystem, group: NewGroup
) -> None:
    """200 of them over DTLS, each datagram from another port: no handshake but the first."""
    groups = (
        group("restart", 2000, "--rate=400", "--start-rate=150", "--lifetime=600", "--duration=55"),
        group(
            "dtls-restart", 200, "--rate=50", "--start-rate=50", "--lifetime=600", "--duration=55", "--rebinding",
            is_secure=True,
        ),
    )  # fmt: skip
    for one in groups:
        one.wait_for_values()
    killed = system.process_number("gateway")
    os.kill(killed, signal.SIGKILL)
    killed_at = time.time()
    blocking_until(lambda: system.process_number("gateway") != killed, 30, "a new gateway")
    for one in groups:
        summary = one.finish()
        assert summary["registrations"] == one.devices, summary
        assert summary["reset"] == 0, summary
        one.require_one_handshake_each(summary)
        after = {line["endpoint"] for line in one.ledger() if (line["acknowledged"] or 0) > killed_at}
        assert len(after) == one.devices, f"{one.devices - len(after)} devices are not understood any more; {summary}"
        one.require_every_value_once(summary)
    assert metric_at(system.connection.health["gateway"], "flownexus_gateway_dtls_handshakes_total") == 0


def test_devices_whose_every_datagram_comes_from_another_port_are_served_as_any_other(
    system: RunningSystem, group: NewGroup
) -> None:
    options = ("--rate=100", "--start-rate=50", "--lifetime=20", "--duration=25", "--rebinding")
    groups = (group("moving", 100, *options), group("dtls-moving", 100, *options, is_secure=True))
    for one in groups:
        one.wait_for_values()
        assert requests(system, one.prefix, range(0, one.devices, 10)) == {(200, "2.05")}
    for one in groups:
        summary = one.finish()
        assert summary["registrations"] == one.devices, summary
        assert summary["updates"] > 0, summary
        assert (summary["refusals"], summary["reset"], summary["timed_out"]) == (0, 0, 0), summary
        one.require_one_handshake_each(summary)
        one.require_every_value_once(summary)


def test_a_fifth_lost_and_a_fifth_doubled_both_ways_loses_no_registration_and_doubles_no_row(group: NewGroup) -> None:
    options = ("--start-rate=50", "--lifetime=300", "--duration=40", "--loss=0.2", "--duplicates=0.2", "--seed=7")
    groups = (
        group("lossy", 200, "--rate=60", *options),
        group("dtls-lossy", 100, "--rate=30", *options, is_secure=True),
    )
    for one in groups:
        summary = one.finish()
        assert summary["retransmissions"] > 100, summary
        # Over DTLS a device whose message was lost five times begins anew, and may not be through at the end.
        under_way = summary["timed_out"] if one.is_secure else 0
        assert one.devices - under_way <= summary["registered"] <= one.devices, summary
        assert summary["refusals"] == 0, summary
        one.require_every_value_once(summary)


def test_devices_that_go_to_and_fro_between_two_gateways_of_which_one_is_killed_are_served_as_by_one(
    system: RunningSystem, second_gateway: ServiceProcess, group: NewGroup
) -> None:
    """Every fifth datagram of a device goes to the other gateway than the one before, also an answer, also a block.
    Over DTLS the session goes with it; a handshake, and the first message in it, stay where they began.
    """
    options = ("--start-rate=50", "--lifetime=60", "--duration=60")
    with (
        LoadBalancer((system.coap_port, int(second_gateway.env["FLOWNEXUS_COAP_PORT"])), stickiness=0.8) as plain,
        LoadBalancer(
            (system.coaps_port, int(second_gateway.env["FLOWNEXUS_COAPS_PORT"])),
            stickiness=0.8,
            settles=HANDSHAKE_DATAGRAMS,
        ) as secure,
    ):
        groups = (
            group("roaming", 200, "--rate=100", *options, port=plain.port),
            group("dtls-roaming", 60, "--rate=30", *options, port=secure.port, is_secure=True),
        )
        for one in groups:
            one.wait_for_values()
            assert requests(system, one.prefix, range(0, one.devices, 4)) == {(200, "2.05")}
        second_gateway.kill()
        after_kill = requests(system, groups[0].prefix, range(1, groups[0].devices, 10))
        second_gateway.start()
        for one in groups:
            assert requests(system, one.prefix, range(2, one.devices, 4)) == {(200, "2.05")}
        summaries = [one.finish() for one in groups]

    assert plain.moves > 10 * groups[0].devices / 5, "the devices stayed where they were"
    assert secure.moves > 10 * groups[1].devices / 5, "the sessions stayed where they were"
    assert after_kill <= {(200, "2.05"), (504, None), (503, None)}, after_kill
    for one, summary in zip(groups, summaries, strict=True):
        assert summary["registrations"] == one.devices, summary
        assert (summary["refusals"], summary["reset"]) == (0, 0), summary
        one.require_one_handshake_each(summary)
        one.require_every_value_once(summary)


def requests(system: RunningSystem, prefix: str, numbers: range) -> set[tuple[int, str | None]]:
    """Read a resource of each of these devices, ten at a time; what came of it, as status and the device's code."""
    asked = {"operation": "read", "path": "/3/0/0", "timeout_s": 8}
    with system.api() as client, ThreadPoolExecutor(10) as threads:

        def ask(number: int) -> tuple[int, str | None]:
            answer = client.post(f"/api/v1/endpoints/{prefix}-{number:05}/requests", json=asked, timeout=60)
            return answer.status_code, answer.json().get("code")

        return set(threads.map(ask, numbers))
