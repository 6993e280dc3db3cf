"""Devices that answer after seconds, as over narrow-band networks, do not keep others waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flownexus_schemas.commands import PathValue, WriteResource
from flownexus_schemas.operations.operation import OperationStatus
from harness.fleet import RunningFleet
from harness.services import ServiceProcess
from integration.operations.conftest import Asked

LATENCY_S = 1.5
IN_FLIGHT = 3
SLOW, OTHERS = ([f"{prefix}-{number:05}" for number in range(count)] for prefix, count in (("slow", 9), ("others", 3)))


@pytest.fixture
def operations(gateway: ServiceProcess, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    """It begins three requests at a time."""
    return service("flownexus_operations", FLOWNEXUS_OPERATIONS_IN_FLIGHT=IN_FLIGHT)


@pytest.fixture
def fleets(gateway: ServiceProcess, tmp_path: Path) -> Iterator[None]:
    running = []
    for prefix, count, latency in (("slow", len(SLOW), LATENCY_S), ("others", len(OTHERS), 0)):
        options = (f"--prefix={prefix}", f"--devices={count}", "--interval=600", f"--latency={latency}")
        running.append(RunningFleet(tmp_path / prefix, int(gateway.env["FLOWNEXUS_COAP_PORT"]), *options))
    yield
    for fleet in running:
        fleet.kill()


async def write(asked: Asked, endpoint: str) -> str:
    value = PathValue(path="3/0/15", value="Europe/Zurich")
    return await asked.ask(WriteResource(endpoint=endpoint, path="3/0/15", values=(value,), timeout_s=20))


async def test_they_are_asked_side_by_side_and_the_others_are_done_before_any_of_them_answers(
    asked: Asked, operations: ServiceProcess, fleets: None
) -> None:
    first = [await write(asked, endpoint) for endpoint in (*SLOW, *OTHERS)]
    assert {(await asked.ends(one)).status for one in first} == {OperationStatus.CONFIRMED}

    # From now on it is known which are slow.
    slow = [await write(asked, endpoint) for endpoint in SLOW]
    others = [await write(asked, endpoint) for endpoint in OTHERS]
    assert {(await asked.ends(one)).status for one in others} == {OperationStatus.CONFIRMED}
    assert not [one for one in slow if not (await asked.history(one))[-1].data.is_open]
    assert {(await asked.ends(one)).status for one in slow} == {OperationStatus.CONFIRMED}
