"""The device answered, and that became known when the attempt counted as unanswered already: it is not asked again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from flownexus_schemas import subjects
from flownexus_schemas.commands import (
    AnyCommand,
    CommandAnswer,
    ExecuteResource,
    PathValue,
    ReadResource,
    WriteResource,
)
from flownexus_schemas.operations.messages import KeptAnswer
from flownexus_schemas.operations.operation import OperationStatus
from flownexus_schemas.subjects import EventKind, Stream
from harness.lockstep import (
    ACK,
    CHANGED,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    GET,
    POST,
    PUT,
    TEXT,
    Heard,
    LockstepDevice,
    datagram,
    uint,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.operations.conftest import LINKS, Asked, asleep, served, silence

if TYPE_CHECKING:
    from harness.containers import NatsContainer
    from harness.embedded import RunningNats

EMPTY = 0
EXECUTE = ExecuteResource(endpoint="device-1", path="3/0/4", timeout_s=1)
READ = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=1)
WRITE = WriteResource(
    endpoint="device-1", path="1/0/1", values=(PathValue(path="1/0/1", value=300),), timeout_s=1
)  # fmt: skip
LATEST_S = 11.0
"""The attempt is over then: its own second, and the margin of the gateway."""


class Asking(NamedTuple):
    """An operation, and its request as the device got it."""

    name: str
    request: Heard


async def unanswered_once(device: LockstepDevice, asked: Asked) -> str:
    """An operation that waits for its second attempt."""
    await asleep(device)
    name = await asked.ask(WRITE)
    await served(device.update)
    await served(lambda: device.expect_request(PUT, "1/0/1"))
    await asked.reaches(name, OperationStatus.QUEUED, 1)
    return name


async def keep(js: JetStreamContext, name: str, answer: CommandAnswer) -> None:
    """As a gateway does."""
    kept = KeptAnswer(operation_id=name, attempt=1, answer=answer, received_at=datetime.now(UTC))
    await js.publish(subjects.operation_answer("device-1", name), kept.model_dump_json().encode())


async def test_an_answer_that_is_kept_late_ends_it(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    name = await unanswered_once(device, asked)
    done = CommandAnswer(code="2.04")
    await keep(js, name, done)

    ended = await asked.ends(name)
    assert (ended.status, ended.attempts, ended.answer) == (OperationStatus.CONFIRMED, 1, done)
    await served(device.update)
    await silence(device, 1.0)


async def test_an_answer_that_is_kept_late_while_operations_is_away_ends_it(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    name = await unanswered_once(device, asked)
    operations.kill()
    refused = CommandAnswer(code="4.05", diagnostic="not now")
    await keep(js, name, refused)
    operations.start()

    ended = await asked.ends(name)
    assert (ended.status, ended.attempts, ended.answer) == (OperationStatus.FAILED, 1, refused)
    await served(device.update)
    await silence(device, 1.0)


async def acknowledged_and_given_up(device: LockstepDevice, asked: Asked, command: AnyCommand, code: int) -> Asking:
    """The device has the request, and its attempt is over."""
    await asleep(device)
    name = await asked.ask(command)
    await served(device.update)
    request = await served(device.receive)
    assert (request.type, request.code) == (CON, code), request
    device.send(datagram(ACK, EMPTY, request.message_id))
    await asked.reaches(name, OperationStatus.QUEUED, 1)
    return Asking(name, request)


async def test_what_a_device_carries_out_late_is_not_carried_out_again(
    device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    """A separate response, of which the first acknowledgement is lost. RFC 7252, 5.2.2."""
    name, request = await acknowledged_and_given_up(device, asked, EXECUTE, POST)
    late = datagram(CON, CHANGED, next(device.message_ids), request.token)
    first = device.exchange(late)
    ended = await asked.ends(name)
    again = device.exchange(late)

    assert (ended.status, ended.attempts, ended.last_action) == (
        OperationStatus.CONFIRMED, 1, "The device answered 2.04.",
    )  # fmt: skip
    assert [(one.type, one.code) for one in (first, again)] == [(ACK, EMPTY)] * 2
    await served(device.update)
    await silence(device, 1.0)


async def test_what_a_device_answers_late_to_a_read_is_the_value(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, asked: Asked
) -> None:
    name, request = await acknowledged_and_given_up(device, asked, READ, GET)
    options = [(CONTENT_FORMAT, uint(TEXT))]
    device.exchange(datagram(CON, CONTENT, next(device.message_ids), request.token, options, b"maker"))

    ended = await asked.ends(name)
    assert ended.answer is not None
    assert (ended.status, [value.value for value in ended.answer.values]) == (OperationStatus.CONFIRMED, ["maker"])

    async def told() -> Any:
        with suppress(NotFoundError):
            return (await js.get_last_msg(Stream.EVENTS, subjects.event("device-1", EventKind.REPORTED))).data
        return None

    event: bytes = await until(told, 10, "the value as an event")
    assert b'"maker"' in event


@pytest.mark.parametrize("attempts", [3, 1], ids=["more-attempts", "last-attempt"])
async def test_while_the_bus_is_away_longer_than_the_attempt_the_answer_is_not_lost(
    nats_server: RunningNats | NatsContainer,
    device: LockstepDevice,
    operations: ServiceProcess,
    asked: Asked,
    attempts: int,
) -> None:
    device.register(LINKS)
    name = await asked.ask(WRITE, max_attempts=attempts)
    request = await served(lambda: device.expect_request(PUT, "1/0/1"))
    nats_server.kill()
    device.answer(request, CHANGED)
    await asyncio.sleep(LATEST_S + 1)
    nats_server.start()

    ended = await asked.ends(name)
    assert (ended.status, ended.attempts) == (OperationStatus.CONFIRMED, 1)
    await served(device.update)
    await silence(device, 1.0)
