"""Operations on a sleeping fleet while processes are killed: none is lost, and none is done twice without a reason."""

from __future__ import annotations

import os
import signal
from collections import defaultdict
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from harness.embedded import open_folder
from harness.fleet import RunningFleet
from harness.rows import rows
from harness.system import RunningSystem
from harness.waiting import blocking_until

pytestmark = pytest.mark.timeout(400)

DEVICES, EACH, PREFIX, PATH = 50, 4, "sleepy", "3/0/15"
VICTIMS = ("operations", "gateway", "nats", "ingest")
AWAKE_S, INTERVAL_S = 3, 4
TIMEOUT_S = 2
PATIENCE_S = 90
"""An attempt whose gateway died ends after its time, the margin of the gateway and that for other replicas' clocks."""


ATTEMPTS = "select endpoint || ' ' || (request -> 'values' -> 0 ->> 'value'), attempts from endpoint_operation"


@pytest.fixture
def system() -> Iterator[RunningSystem]:
    with open_folder() as folder:
        running = RunningSystem(folder)
        try:
            running.start()
            yield running
        finally:
            running.erase()


def count(system: RunningSystem, batch: str, status: str) -> int:
    query = "select count(*) from endpoint_operation where batch = %s and status = %s"
    return int(rows(system.connection.database_url, query, batch, status)[0][0])


def are_confirmed(system: RunningSystem, batches: list[str], least: int) -> bool:
    """Whether at least so many operations of each batch are."""
    return all(count(system, batch, "CONFIRMED") >= least for batch in batches)


def are_observed(url: str) -> bool:
    """Whether all devices are."""
    established = rows(url, "select count(*) from observation_outcome where state = 'established'")
    return bool(established[0][0] == DEVICES)


def ask(api: httpx.Client, value: str) -> str:
    """All devices, to write this; the batch."""
    asked = {"operation": "write", "path": PATH, "value": value, "timeout_s": TIMEOUT_S}
    answer = api.post("/api/v1/operations", json=asked | {"select": {"endpoints": [f"{PREFIX}-*"]}})
    assert answer.status_code == 202, answer.text
    assert answer.json()["operations"] == DEVICES
    return str(answer.json()["batch"])


def kill(system: RunningSystem, victim: str) -> None:
    """And wait until another is in its place."""
    killed = system.process_number(victim)
    os.kill(killed, signal.SIGKILL)
    blocking_until(lambda: system.process_number(victim) != killed, 30, f"a new {victim}")


def test_whatever_is_killed_each_operation_ends_and_is_done_once_and_in_order(system: RunningSystem) -> None:
    with system.api() as api:
        profile = {"observe": [{"path": "3303/0/5700"}], "awake_window_s": AWAKE_S - 1}
        assert api.put("/api/v1/profiles/default", json=profile).is_success
    fleet = RunningFleet(
        system.folder.parent / PREFIX,
        system.coap_port,
        f"--prefix={PREFIX}",
        f"--devices={DEVICES}",
        f"--interval={INTERVAL_S}",
        f"--awake-window={AWAKE_S}",
        "--queue-mode",
        "--lifetime=600",
        f"--start-rate={DEVICES / INTERVAL_S}",
    )
    url = system.connection.database_url
    try:
        blocking_until(partial(are_observed, url), 60, "every device observed")
        for victim in VICTIMS:
            with system.api() as api:
                batches = [ask(api, f"{victim}-{number}") for number in range(EACH)]
            for done in (DEVICES // 5, DEVICES // 2):
                blocking_until(partial(are_confirmed, system, batches[:1], done), 30, f"{done} operations")
                kill(system, victim)
            blocking_until(
                partial(are_confirmed, system, batches, DEVICES),
                PATIENCE_S,
                f"the end of every operation after {victim} was killed",
            )
        fleet.stop()
    finally:
        fleet.kill()

    carried_out: dict[str, list[str]] = defaultdict(list)
    for request in fleet.requests():
        if request["path"] == PATH:
            carried_out[request["endpoint"]].append(bytes.fromhex(request["payload"]).decode())
    in_order = [f"{victim}-{number}" for victim in VICTIMS for number in range(EACH)]
    assert len(carried_out) == DEVICES
    assert {endpoint: done for endpoint, done in carried_out.items() if list(dict.fromkeys(done)) != in_order} == {}
    attempts = dict(
        rows(url, "select endpoint || ' ' || (request -> 'values' -> 0 ->> 'value'), attempts from endpoint_operation")
    )
    again = {f"{endpoint} {value}" for endpoint, done in carried_out.items() for value in done if done.count(value) > 1}
    # Where the gateway died between the device's answer and its keeping, nobody can know that it was done.
    assert all("gateway" in one and attempts[one] > 1 for one in again), again
