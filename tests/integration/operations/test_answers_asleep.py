"""Devices that answer although they sleep, as with eDRX: asked at once, once a sleep, without haste."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flownexus_schemas.commands import ReadResource
from flownexus_schemas.operations.operation import OperationStatus
from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import (
    ACK,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    GET,
    TEXT,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.services import ServiceProcess
from integration.operations.conftest import Asked, served

EMPTY = 0
LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>'
READ = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=1)
AWAKE_S, WITHIN_S = 2.0, 8.0


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile(awake_window_s=AWAKE_S, answers_asleep_within_s=WITHIN_S)


def falls_asleep(device: LockstepDevice) -> None:
    device.register(LINKS, "b=U", "Q")
    is_silent(device, AWAKE_S + 0.5)


def is_silent(device: LockstepDevice, seconds: float) -> None:
    with pytest.raises(Silence):
        device.receive(seconds)


def every_copy(device: LockstepDevice, first: Heard, seconds: float) -> list[Heard]:
    """What comes until nothing came for `seconds`; each is the same datagram as the first."""
    copies = [first]
    while True:
        try:
            copies.append(device.receive(seconds))
        except Silence:
            assert {copy.message_id for copy in copies} == {first.message_id}, copies
            return copies


async def test_it_is_asked_at_once_and_answers_after_seconds(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await served(lambda: falls_asleep(device))
    name = await asked.ask(READ)

    def serve() -> None:
        request = device.expect_request(GET, "3/0/0")
        is_silent(device, 3.5)  # longer than the operation's own time; a copy would be carried out again
        device.answer(request, payload=b"maker", content_format=TEXT)

    await served(serve)
    operation = await asked.ends(name)

    assert (operation.status, operation.attempts) == (OperationStatus.CONFIRMED, 1)
    assert operation.attempt is not None
    assert operation.attempt.asleep
    [_, sending, _] = [event.data.last_action for event in await asked.history(name)]
    assert sending.endswith("It sleeps, and answers within 8 s if at all.")


async def test_a_sleep_has_one_attempt_also_over_a_restart_and_the_next_ones_come_with_signs_of_life(
    device: LockstepDevice, operations: ServiceProcess, service: Callable[..., ServiceProcess], asked: Asked
) -> None:
    await served(lambda: falls_asleep(device))
    name = await asked.ask(READ)
    request = await served(lambda: device.expect_request(GET, "3/0/0"))
    copies = await served(lambda: every_copy(device, request, 0.8 * WITHIN_S))
    assert len(copies) == 2

    assert (await asked.reaches(name, OperationStatus.QUEUED)).attempts == 1
    operations.kill()
    service("flownexus_operations")
    await served(lambda: is_silent(device, 1.0))

    def wake_up() -> None:
        device.update()
        device.answer(device.expect_request(GET, "3/0/0"), payload=b"maker", content_format=TEXT)

    await served(wake_up)
    operation = await asked.ends(name)
    assert (operation.status, operation.attempts) == (OperationStatus.CONFIRMED, 2)
    assert operation.attempt is not None
    assert not operation.attempt.asleep


async def test_one_that_wakes_up_elsewhere_while_it_is_waited_for_is_asked_again_while_it_is_awake(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await served(lambda: falls_asleep(device))
    name = await asked.ask(READ)

    def serve() -> None:
        first = device.expect_request(GET, "3/0/0")
        device.move()
        device.update()
        second = device.expect_request(GET, "3/0/0", timeout_s=AWAKE_S)
        assert second.message_id != first.message_id
        device.answer(second, payload=b"maker", content_format=TEXT)

    await served(serve)
    operation = await asked.ends(name)
    assert (operation.status, operation.attempts) == (OperationStatus.CONFIRMED, 2)


async def test_a_request_that_it_acknowledged_is_waited_for_although_it_is_heard_meanwhile(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await served(lambda: falls_asleep(device))
    name = await asked.ask(READ)

    def serve() -> None:
        request = device.expect_request(GET, "3/0/0")
        device.send(datagram(ACK, EMPTY, request.message_id))
        device.update()
        is_silent(device, AWAKE_S)
        answer = datagram(CON, CONTENT, 4000, request.token, [(CONTENT_FORMAT, uint(TEXT))], b"maker")
        assert device.exchange(answer).type == ACK

    await served(serve)
    operation = await asked.ends(name)
    assert (operation.status, operation.attempts) == (OperationStatus.CONFIRMED, 1)
