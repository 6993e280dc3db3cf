"""Operations from the stream to the device and back, with the real gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.commands import PathValue, ReadResource, WriteResource
from flownexus_schemas.operations.operation import OperationStatus
from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import CHANGED, GET, METHOD_NOT_ALLOWED, PUT, TEXT, LockstepDevice, Silence
from harness.services import ServiceProcess
from integration.operations.conftest import LINKS, Asked, asleep, served, silence

READ = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=2)
WRITE = WriteResource(
    endpoint="device-1",
    path="5/0/1",
    values=(PathValue(path="5/0/1", value="https://url.com/fw.bin"),),
    timeout_s=5,
)


async def test_a_device_that_listens_gets_it_at_once(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS)
    name = await asked.ask(READ)

    def serve() -> None:
        device.answer(device.expect_request(GET, "3/0/0"), payload=b"maker", content_format=TEXT)

    await served(serve)
    operation = await asked.ends(name)

    assert operation.status is OperationStatus.CONFIRMED
    assert operation.answer is not None
    assert [(value.path, value.value) for value in operation.answer.values] == [("3/0/0", "maker")]
    kinds = [event.type.split(".")[-2] for event in await asked.history(name)]
    assert kinds == ["requested", "sending", "confirmed"]


async def test_a_sleeping_device_gets_it_at_its_next_update(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await asleep(device)
    name = await asked.ask(WRITE)
    await silence(device, 1.0)
    assert (await asked.history(name))[-1].data.status is OperationStatus.QUEUED

    def serve() -> None:
        device.update()
        request = device.expect_request(PUT, "5/0/1")
        assert request.payload == b"https://url.com/fw.bin"
        device.answer(request, CHANGED)

    await served(serve)

    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED


async def test_one_that_stops_polling_gets_it_after_its_updates_from_another_port(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    """As Zephyr with CONFIG_LWM2M_RD_CLIENT_STOP_POLLING_AT_IDLE: its socket is gone, and two Updates come after."""
    device.register(LINKS, "b=U", "Q", lifetime=600)
    with pytest.raises(Silence):
        await served(lambda: device.receive(2.5))
    name = await asked.ask(READ)
    with pytest.raises(Silence):
        await served(lambda: device.receive(1.0))

    def serve() -> None:
        device.move()
        device.update()
        request = device.expect_request(GET, "3/0/0")
        device.update()
        device.answer(request, payload=b"maker", content_format=TEXT)

    await served(serve)
    operation = await asked.ends(name)
    assert (operation.status, operation.attempts) == (OperationStatus.CONFIRMED, 1)


async def test_a_report_published_late_wakes_no_sleeping_device(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await asleep(device)
    name = await asked.ask(READ)
    await js.publish("lwm2m.event.device-1.reported", b"{}", headers={"Flownexus-Late": "retry"})
    await silence(device, 1.0)
    assert (await asked.history(name))[-1].data.status is OperationStatus.QUEUED

    await js.publish("lwm2m.event.device-1.reported", b"{}")
    await served(lambda: device.expect_request(GET, "3/0/0"))


async def test_an_answer_that_somebody_else_asked_for_is_a_sign_of_life(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS, "b=U", "Q")
    with pytest.raises(Silence):
        await served(lambda: device.receive(2.5))
    await asked.ask(READ)
    await js.publish("lwm2m.event.device-1.heard", b"{}")
    await served(lambda: device.expect_request(GET, "3/0/0"))


async def test_the_devices_refusal_is_the_end_with_its_code(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS)
    name = await asked.ask(READ)
    await served(lambda: device.answer(device.expect_request(GET, "3/0/0"), METHOD_NOT_ALLOWED, payload=b"no"))

    operation = await asked.ends(name)

    assert (operation.status, operation.attempts) == (OperationStatus.FAILED, 1)
    assert operation.last_action == "The device refused: 4.05 no."


async def test_three_wake_ups_without_an_answer_are_the_end_and_there_is_no_fourth_request(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS, "b=U", "Q")
    name = await asked.ask(READ)
    message_ids = []
    for attempt in (1, 2, 3):
        request = await served(lambda: device.expect_request(GET, "3/0/0"))
        message_ids.append(request.message_id)
        end = OperationStatus.QUEUED if attempt < 3 else OperationStatus.FAILED
        await asked.reaches(name, end, attempt)
        with pytest.raises(Silence):
            await served(lambda: _nothing_new(device, set(message_ids)))
        await served(lambda: _update(device, set(message_ids)))

    assert len(set(message_ids)) == 3
    with pytest.raises(Silence):
        await served(lambda: _nothing_new(device, set(message_ids)))


async def test_operations_of_an_endpoint_go_one_after_the_other_by_priority_then_in_their_order(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await asleep(device)
    names = [
        await asked.ask(READ.model_copy(update={"path": f"3/0/{resource}"}), priority=priority)
        for resource, priority in ((0, 0), (1, 0), (2, 5))
    ]
    order: list[str] = []

    def serve() -> None:
        device.update()
        for _ in names:
            request = device.receive()
            order.append(request.path())
            with pytest.raises(Silence):
                device.receive(0.3)
            device.answer(request, payload=b"x", content_format=TEXT)

    await served(serve)
    for name in names:
        assert (await asked.ends(name)).status is OperationStatus.CONFIRMED
    assert order == ["3/0/2", "3/0/0", "3/0/1"]


async def test_what_is_over_is_not_sent(device: LockstepDevice, operations: ServiceProcess, asked: Asked) -> None:
    await asleep(device)
    name = await asked.ask(READ, expires_at=datetime.now(UTC) + timedelta(seconds=0.5))

    assert (await asked.ends(name)).status is OperationStatus.EXPIRED
    await served(device.update)
    await silence(device, 0.5)


async def test_an_answer_that_comes_after_the_replica_was_killed_ends_the_operation_without_a_second_request(
    device: LockstepDevice, operations: ServiceProcess, service: Callable[..., ServiceProcess], asked: Asked
) -> None:
    device.register(LINKS)
    name = await asked.ask(WRITE.model_copy(update={"timeout_s": 20}))
    request = await served(lambda: device.expect_request(PUT, "5/0/1"))
    operations.kill()
    device.answer(request, CHANGED)
    service("flownexus_operations")

    operation = await asked.ends(name)

    assert (operation.status, operation.attempts) == (OperationStatus.CONFIRMED, 1)
    with pytest.raises(Silence):
        await served(lambda: _nothing_new(device, {request.message_id}))


@pytest.mark.parametrize("profile", [ObservationProfile()])
async def test_a_device_is_asked_again_as_soon_as_its_gateway_was_started_again(
    device: LockstepDevice, operations: ServiceProcess, gateway: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS)
    name = await asked.ask(WRITE.model_copy(update={"timeout_s": 60}))
    first = await served(lambda: device.expect_request(PUT, "5/0/1"))
    gateway.kill()
    gateway.start()

    def answer() -> None:
        request = device.expect_request(PUT, "5/0/1", 15)
        while request.message_id == first.message_id:
            request = device.expect_request(PUT, "5/0/1", 15)
        device.answer(request, CHANGED)

    await served(answer)
    operation = await asked.ends(name)
    assert (operation.status, operation.attempts) == (OperationStatus.CONFIRMED, 2)


async def test_two_replicas_send_each_operation_once(
    device: LockstepDevice, operations: ServiceProcess, service: Callable[..., ServiceProcess], asked: Asked
) -> None:
    service("flownexus_operations")
    device.register(LINKS)
    names = await asyncio.gather(*(asked.ask(READ) for _ in range(10)))
    message_ids = []

    def serve() -> None:
        for _ in names:
            request = device.expect_request(GET, "3/0/0")
            message_ids.append(request.message_id)
            device.answer(request, payload=b"x", content_format=TEXT)

    await served(serve)
    for name in names:
        assert (await asked.ends(name)).attempts == 1
    assert len(set(message_ids)) == len(names)
    await silence(device, 0.5)


def _nothing_new(device: LockstepDevice, known: set[int]) -> None:
    """Silence but for retransmissions of these. Raises Silence where that is so."""
    while True:
        heard = device.receive(0.5)
        assert heard.message_id in known, heard


def _update(device: LockstepDevice, known: set[int]) -> None:
    """Update; retransmissions of these may come in between."""
    try:
        device.update()
    except AssertionError:
        pytest.fail("another datagram came before the answer")
