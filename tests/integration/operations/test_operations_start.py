"""A start reads what is open, not what has ended, and knows all the same what it has to."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from nats.js import JetStreamContext
from nats.js.errors import KeyNotFoundError

from flownexus_operations import checkpoints
from flownexus_operations.checkpoints import Checkpoint, decode
from flownexus_schemas import subjects
from flownexus_schemas.bus_users import BusUser
from flownexus_schemas.commands import ExecuteResource, ReadResource
from flownexus_schemas.firmware.messages import requested
from flownexus_schemas.firmware.update import UpdateStatus
from flownexus_schemas.operations.messages import OperationCancelled, parse_operation_event
from flownexus_schemas.operations.operation import Operation, OperationStatus
from flownexus_schemas.rollouts.device import update_id
from flownexus_schemas.rollouts.lifecycle import Stopped
from flownexus_schemas.rollouts.rollout import RolloutStatus
from flownexus_schemas.subjects import Bucket, Stream
from harness.lockstep import CHANGED, GET, POST, LockstepDevice
from harness.nats_proxy import NatsProxy, Stop
from harness.services import ServiceProcess
from harness.waiting import until
from integration.operations.conftest import LINKS, Asked, asleep, served, silence
from integration.operations.rollouts import OnTheStream
from unit.operations.firmware.world import QUEUED

if TYPE_CHECKING:
    from conftest import ServiceFactory
    from harness.containers import NatsContainer
    from harness.embedded import RunningNats

ENDED = checkpoints.EVERY
MOST_READ = 40
EXECUTE = ExecuteResource(endpoint="device-1", path="3/0/4", timeout_s=20)


async def publish_all(js: JetStreamContext, messages: Iterable[tuple[str, bytes]]) -> None:
    at_a_time = asyncio.Semaphore(500)

    async def one(subject: str, payload: bytes) -> None:
        async with at_a_time:
            await js.publish(subject, payload)

    await asyncio.gather(*(one(*message) for message in messages))


def ended_operation(number: int) -> tuple[str, bytes]:
    now, endpoint = datetime.now(UTC), f"device-{number % 100}"
    ended = Operation(
        id=f"ended-{number}",
        endpoint=endpoint,
        command=ReadResource(endpoint=endpoint, path="3/0/0"),
        requested_at=now,
        status=OperationStatus.CANCELLED,
        finished_at=now,
    )
    event = OperationCancelled(id=ended.id, source="/test", subject=endpoint, time=now, data=ended)
    return subjects.operation(endpoint, ended.id), event.model_dump_json().encode()


def ended_update(number: int) -> tuple[str, bytes]:
    changes: dict[str, Any] = {"id": f"u-{number}", "endpoint": f"device-{number}", "status": UpdateStatus.FAILED}
    update = QUEUED.model_copy(update=changes)
    return subjects.firmware(update.endpoint, update.id), requested(update, "/test").model_dump_json().encode()


async def history(js: JetStreamContext) -> None:
    """So much has ended that a checkpoint is due."""
    await publish_all(js, map(ended_operation, range(ENDED)))
    await publish_all(js, map(ended_update, range(100)))
    rollouts = OnTheStream(js)
    for name in [await rollouts.make([1]) for _ in range(20)]:
        await rollouts.happen(name, Stopped("olga"))


async def kept(js: JetStreamContext) -> Checkpoint:
    """The checkpoint, once there is one."""
    bucket = await js.key_value(Bucket.CHECKPOINTS)

    async def there() -> Checkpoint | None:
        with suppress(KeyNotFoundError):
            return decode((await bucket.get(subjects.OPERATIONS_CHECKPOINT_KEY)).value or b"")
        return None

    found: Checkpoint = await until(there, 30, "a checkpoint")
    return found


async def stands(js: JetStreamContext, name: str) -> Operation:
    """An operation of device-1, without a look at all of the stream."""
    message = await js.get_last_msg(Stream.OPERATIONS, subjects.operation("device-1", name))
    return parse_operation_event(message.data or b"").data


async def ended(js: JetStreamContext, name: str) -> Operation:
    """The same once it has ended."""

    async def there() -> Operation | None:
        operation = await stands(js, name)
        return None if operation.is_open else operation

    found: Operation = await until(there, 30, f"the end of {name}")
    return found


class Counting:
    """Messages of LWM2M_OPERATIONS that a service gets by way of a proxy."""

    def __init__(self, proxy: NatsProxy) -> None:
        self.read: Counter[str] = Counter()
        proxy.stop_at(Stop(False, self._count))

    def _count(self, subject: bytes, message: bytes) -> bool:
        kind = subject.decode().split(".")[1] if subject.startswith(b"lwm2m.") else ""
        if kind in {"operation", "firmware", "rollout", "desired"}:
            self.read[kind] += 1
        elif b"stream_msg_get_response" in message:
            self.read["single"] += 1
        return False


@pytest.fixture
def operations(gateway: ServiceProcess, service: ServiceFactory) -> ServiceProcess:
    """Not running yet."""
    return service("flownexus_operations", wait=False)


async def test_a_start_reads_what_is_open_and_not_what_has_ended(  # noqa: PLR0917
    nats_server: RunningNats | NatsContainer,
    js: JetStreamContext,
    device: LockstepDevice,
    operations: ServiceProcess,
    service: ServiceFactory,
    asked: Asked,
) -> None:  # fmt: skip
    await asleep(device)
    waits, rollouts = await asked.ask(EXECUTE), OnTheStream(js)
    await history(js)
    rollout = await rollouts.make([1])
    operations.wait_ready()
    await kept(js)
    # Both since the checkpoint, so both are read after it.
    taken_back, second = await asked.ask(EXECUTE), await asked.ask(ReadResource(endpoint="device-1", path="3/0/0"))
    before = await stands(js, taken_back)
    gone = before.model_copy(update={"status": OperationStatus.CANCELLED, "finished_at": datetime.now(UTC)})
    event = OperationCancelled(id="gone", source="/test", subject="device-1", time=datetime.now(UTC), data=gone)
    await js.publish(subjects.operation("device-1", taken_back), event.model_dump_json().encode())
    operations.kill()

    with NatsProxy(nats_server.url_of(BusUser.OPERATIONS)) as proxy:
        counting = Counting(proxy)
        second_start = service("flownexus_operations", FLOWNEXUS_NATS_URL=proxy.url)
        read = counting.read.total()
        assert 0 < read <= MOST_READ, counting.read

        def serve() -> None:
            device.update()
            device.answer(device.expect_request(POST, "3/0/4"), CHANGED)
            device.answer(device.expect_request(GET, "3/0/0"), payload=b"maker", content_format=0)

        await served(serve)
        assert (await ended(js, waits)).status is OperationStatus.CONFIRMED
        assert (await ended(js, second)).status is OperationStatus.CONFIRMED
        await silence(device, 1.0)
        await rollouts.end_update(update_id(rollout, "d1-1", 1), "d1-1", UpdateStatus.SUCCEEDED)
        await rollouts.reaches(rollout, RolloutStatus.FINISHED)
        second_start.stop()


async def test_a_checkpoint_of_a_message_that_is_gone_is_not_used(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    await asleep(device)
    name = await asked.ask(EXECUTE)
    await publish_all(js, map(ended_operation, range(ENDED)))
    operations.wait_ready()
    position = (await kept(js)).position
    operations.kill()
    await js.delete_msg(Stream.OPERATIONS, position)
    operations.start()

    def serve() -> None:
        device.update()
        device.answer(device.expect_request(POST, "3/0/4"), CHANGED)

    await served(serve)
    assert (await ended(js, name)).status is OperationStatus.CONFIRMED


async def test_a_checkpoint_of_another_stream_is_not_used(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    device.register(LINKS)
    await publish_all(js, map(ended_operation, range(ENDED)))
    operations.wait_ready()
    await kept(js)
    operations.kill()
    config = (await js.stream_info(Stream.OPERATIONS)).config
    await js.delete_stream(Stream.OPERATIONS)
    await js.add_stream(config)
    name = await asked.ask(EXECUTE)
    operations.start()

    await served(lambda: device.answer(device.expect_request(POST, "3/0/4"), CHANGED))
    assert (await ended(js, name)).status is OperationStatus.CONFIRMED
