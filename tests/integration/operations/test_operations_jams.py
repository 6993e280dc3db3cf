"""What holds requests up that are kept for devices, elsewhere or once here: docs/decisions/operations-jams.md."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import CancelObservation, PathValue, ReadComposite, ReadResource, WriteResource
from flownexus_schemas.operations.operation import OperationStatus
from flownexus_schemas.subjects import Stream
from harness.lockstep import (
    ACK,
    CHANGED,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    GET,
    PUT,
    TEXT,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.operations.conftest import LINKS, Asked, asleep, served, silence

if TYPE_CHECKING:
    from conftest import ServiceFactory
    from harness.containers import NatsContainer
    from harness.embedded import RunningNats

READ = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=2)
WRITE = WriteResource(
    endpoint="device-1", path="1/0/1", values=(PathValue(path="1/0/1", value=300),), timeout_s=5
)  # fmt: skip


def answer_read(device: LockstepDevice) -> None:
    """The next datagram is the read, and is answered."""
    device.answer(device.expect_request(GET, "3/0/0"), payload=b"maker", content_format=TEXT)


async def test_a_silent_device_holds_back_no_other(
    gateway: ServiceProcess, device: LockstepDevice, service: ServiceFactory, asked: Asked
) -> None:
    service("flownexus_operations", FLOWNEXUS_OPERATIONS_IN_FLIGHT=1)
    device.register(LINKS)
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "device-2") as other:
        other.register(LINKS)
        await asked.ask(READ.model_copy(update={"timeout_s": 60}))
        await served(lambda: device.expect_request(GET, "3/0/0"))
        name = await asked.ask(READ.model_copy(update={"endpoint": "device-2"}))
        other.timeout_s = 10
        await served(lambda: answer_read(other))
        assert (await asked.ends(name)).status is OperationStatus.CONFIRMED


async def test_what_is_never_answered_holds_back_the_next_for_three_wake_ups_and_no_longer(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await asleep(device)
    silent = await asked.ask(READ.model_copy(update={"timeout_s": 1}))
    following = await asked.ask(WRITE)
    for attempt in (1, 2, 3):
        await served(device.update)
        await served(lambda: device.expect_request(GET, "3/0/0"))
        await asked.reaches(silent, OperationStatus.QUEUED if attempt < 3 else OperationStatus.FAILED, attempt)
    await served(device.update)
    await served(lambda: device.answer(device.expect_request(PUT, "1/0/1"), CHANGED))

    assert (await asked.ends(following)).status is OperationStatus.CONFIRMED


@pytest.mark.parametrize(
    "impossible",
    [
        CancelObservation(endpoint="device-1", paths=("3/0",)),
        ReadComposite(endpoint="device-1", paths=("3/0/0", "1/0/1")),
    ],
    ids=["not-observed", "composite-of-1.0"],
)
async def test_what_no_gateway_can_send_fails_at_once_and_holds_nothing_back(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked, impossible: CancelObservation | ReadComposite
) -> None:
    device.register(LINKS, version="1.0")
    refused = await asked.ask(impossible)
    name = await asked.ask(READ)
    await served(lambda: answer_read(device))

    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED
    failed = await asked.ends(refused)
    assert (failed.status, failed.attempts) == (OperationStatus.FAILED, 1)
    assert failed.last_action.startswith("It cannot be sent: ")


@pytest.mark.parametrize("whose", ["nobody's", "its own"])
async def test_a_message_that_nobody_can_read_holds_nothing_back(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked, whose: str
) -> None:
    await asleep(device)
    name = await asked.ask(READ)
    subject = subjects.operation("device-1", name if whose == "its own" else "other")
    await js.publish(subject, b'{"type": "io.flownexus.operation.dreamt.v9"}')

    def wake_up() -> None:
        device.update()
        answer_read(device)

    await served(wake_up)
    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED


async def test_messages_that_were_removed_from_the_stream_hold_nothing_back(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await asleep(device)
    name = await asked.ask(READ)
    gone = await asked.ask(READ.model_copy(update={"path": "3/0/1"}))
    await js.purge_stream(Stream.OPERATIONS, subject=subjects.operation("device-1", gone))

    def wake_up() -> None:
        device.timeout_s = 1
        while True:  # it keeps awake until it is asked
            device.update()
            with suppress(Silence):
                answer_read(device)
                break

    await served(wake_up)
    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED
    await silence(device, 1.0)


async def test_an_answer_that_comes_without_its_acknowledgement_ends_it_and_the_next_goes_out(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS)
    first, second = [await asked.ask(READ.model_copy(update={"path": f"3/0/{number}"})) for number in (0, 1)]

    def serve() -> None:
        request = device.expect_request(GET, "3/0/0")
        own = next(device.message_ids)
        device.send(datagram(CON, CONTENT, own, request.token, [(CONTENT_FORMAT, uint(TEXT))], b"maker"))
        heard = device.receive()
        assert (heard.type, heard.message_id) == (ACK, own)
        device.answer(device.expect_request(GET, "3/0/1"), payload=b"model", content_format=TEXT)

    await served(serve)
    for name in (first, second):
        ended = await asked.ends(name)
        assert (ended.status, ended.attempts) == (OperationStatus.CONFIRMED, 1)


async def test_nothing_is_sent_and_nothing_counts_while_the_device_is_away(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS, "b=U", "Q")
    device.deregister()
    name = await asked.ask(READ)
    await silence(device, 2.0)
    await asked.reaches(name, OperationStatus.QUEUED, 0)

    def come_back() -> None:
        device.register(LINKS, "b=U", "Q")
        answer_read(device)

    await served(come_back)
    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED


async def test_what_waits_for_its_next_attempt_goes_on_after_everything_was_restarted(
    nats_server: RunningNats | NatsContainer,
    gateway: ServiceProcess,
    device: LockstepDevice,
    operations: ServiceProcess,
    asked: Asked,
) -> None:
    await asleep(device)
    name = await asked.ask(READ.model_copy(update={"timeout_s": 1}))
    await served(device.update)
    await served(lambda: device.expect_request(GET, "3/0/0"))
    await asked.reaches(name, OperationStatus.QUEUED, 1)
    for process in (operations, gateway, nats_server):
        process.kill()
    for process in (nats_server, gateway, operations):
        process.start()

    def wake_up() -> None:
        device.update()
        answer_read(device)

    await served(wake_up)
    ended = await asked.ends(name)
    assert (ended.status, ended.attempts) == (OperationStatus.CONFIRMED, 2)


async def test_a_device_that_comes_again_and_again_during_an_attempt_is_asked_once(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await asleep(device)
    name = await asked.ask(WRITE)
    requests: list[Heard] = []

    def come_again() -> None:
        device.update()
        requests.append(device.expect_request(PUT, "1/0/1"))
        device.update()
        device.register(LINKS, "b=U", "Q")
        device.update()
        requests.append(device.expect_request(PUT, "1/0/1"))  # CoAP's retransmission, after 2 to 3 s
        device.answer(requests[-1], CHANGED)

    await served(come_again)
    ended = await asked.ends(name)
    assert (ended.status, ended.attempts) == (OperationStatus.CONFIRMED, 1)
    assert {request.message_id for request in requests} == {requests[0].message_id}
    await silence(device, 1.0)


async def test_a_device_that_restarts_during_an_attempt_is_asked_again_as_soon_as_it_is_back(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    """It has another port, and forgot what it was asked."""
    device.register(LINKS)
    name = await asked.ask(WRITE.model_copy(update={"timeout_s": 93.0}))

    def restart() -> None:
        device.expect_request(PUT, "1/0/1")
        device.move()
        device.register(LINKS)
        device.answer(device.expect_request(PUT, "1/0/1", 15), CHANGED)

    await served(restart)
    ended = await asked.ends(name)
    assert (ended.status, ended.attempts) == (OperationStatus.CONFIRMED, 2)


async def test_what_a_busy_gateway_cannot_send_in_time_is_not_sent_after_it(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    """Else it would go out while the operation counts as not under way, and be done twice."""
    device.register(LINKS)
    busy = ReadResource(endpoint="device-1", path="3/0/1", timeout_s=13)
    asking = asyncio.create_task(
        js._nc.request(subjects.gateway_request("gw-1"), busy.model_dump_json().encode(), timeout=30)
    )
    first = await served(lambda: device.expect_request(GET, "3/0/1"))
    name = await asked.ask(WRITE.model_copy(update={"timeout_s": 1}))

    def only_the_first() -> list[Heard]:
        heard: list[Heard] = []
        while not asking.done() or not heard:
            heard.append(device.receive(15))
            if heard[-1].code == PUT:
                break
        return heard

    heard = await served(only_the_first)
    assert {one.message_id for one in heard[:-1]} <= {first.message_id}
    device.answer(heard[-1], CHANGED)
    ended = await asked.ends(name)
    assert (ended.status, ended.attempts) == (OperationStatus.CONFIRMED, 1)
    actions = [event.data.last_action for event in await asked.history(name)]
    assert "Not sent: another request to the device took too long. It waits." in actions
    await silence(device, 3.0)


async def test_while_the_gateway_is_away_attempts_do_not_fill_the_stream(
    gateway: ServiceProcess, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS)
    gateway.kill()
    name = await asked.ask(READ)
    looked_for = "gateway gw-1 is away"

    async def was_missed() -> bool:
        return looked_for in (await asked.history(name))[-1].data.last_action

    missed: bool = await until(was_missed, what="the gateway to be missed")
    assert missed
    seen = len(await asked.history(name))
    await asyncio.sleep(4)  # pauses of 0.5, 1 and 2 s are over
    assert len(await asked.history(name)) == seen == 3
    gateway.start()
    await served(lambda: _registered_again(device))
    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED


def _registered_again(device: LockstepDevice) -> None:
    device.timeout_s = 20
    answer_read(device)
