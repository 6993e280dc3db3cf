"""The device answered, and that became known when the attempt counted as unanswered already: it is not asked again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandAnswer, PathValue, WriteResource
from flownexus_schemas.operations.messages import KeptAnswer
from flownexus_schemas.operations.operation import OperationStatus
from harness.lockstep import CHANGED, PUT, LockstepDevice
from harness.services import ServiceProcess
from integration.operations.conftest import LINKS, Asked, asleep, served, silence

if TYPE_CHECKING:
    from harness.containers import NatsContainer
    from harness.embedded import RunningNats

WRITE = WriteResource(
    endpoint="device-1", path="1/0/1", values=(PathValue(path="1/0/1", value=300),), timeout_s=1
)  # fmt: skip
LATEST_S = 11.0
"""The attempt is over then: its own second, and the margin of the gateway."""


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
