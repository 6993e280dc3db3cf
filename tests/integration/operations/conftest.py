"""Gateway and operations over a real NATS server, devices in lock-step, and operations asked for on the stream."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from flownexus_schemas import subjects
from flownexus_schemas.commands import AnyCommand
from flownexus_schemas.errors import InvalidMessage, InvalidName
from flownexus_schemas.operations.messages import AnyOperationEvent, OperationRequested, parse_operation_event
from flownexus_schemas.operations.operation import Operation, OperationStatus
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile
from flownexus_schemas.subjects import Bucket, Stream
from harness.lockstep import LockstepDevice, Silence
from harness.services import ServiceProcess
from harness.waiting import until
from integration.operations.desired import Desired

LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</5/0>'
AWAKE_WINDOW_S = 2

_numbers = itertools.count(1)


class Asked:
    """Operations on the stream."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def ask(self, command: AnyCommand, **changes: Any) -> str:
        """Queue an operation; its id."""
        now = datetime.now(UTC)
        operation = Operation(
            id=f"op-{next(_numbers)}", endpoint=command.endpoint, command=command, requested_at=now, **changes
        )
        event = OperationRequested(
            id=f"{operation.id}-requested", source="/api", subject=operation.endpoint, time=now, data=operation
        )
        await self._js.publish(
            subjects.operation(operation.endpoint, operation.id),
            event.model_dump_json().encode(),
            headers={"Nats-Msg-Id": event.id},
        )
        return operation.id

    async def history(self, operation_id: str) -> list[AnyOperationEvent]:
        """Every event of an operation so far; what is no event, and what was removed, is left out."""
        info = await self._js.stream_info(Stream.OPERATIONS)
        found = []
        for sequence in range(1, info.state.last_seq + 1):
            with suppress(NotFoundError, InvalidMessage, InvalidName):
                message = await self._js.get_msg(Stream.OPERATIONS, sequence)
                _, name, is_answer = subjects.operation_of_subject(message.subject or "")
                if name == operation_id and not is_answer:
                    found.append(parse_operation_event(message.data or b""))
        return found

    async def reaches(self, operation_id: str, status: OperationStatus, attempts: int | None = None) -> Operation:
        """The operation once it is there."""

        async def there() -> Operation | None:
            history = await self.history(operation_id)
            if not history:
                return None
            operation = history[-1].data
            is_there = operation.status is status and attempts in {None, operation.attempts}
            return operation if is_there else None

        return await until(there, timeout_s=30, what=f"{operation_id} {status}")

    async def ends(self, operation_id: str) -> Operation:
        """The operation once it has ended, however."""

        async def ended() -> Operation | None:
            operation = (await self.history(operation_id))[-1].data
            return None if operation.is_open else operation

        return await until(ended, timeout_s=30, what=f"the end of {operation_id}")


@pytest.fixture
def asked(js: JetStreamContext) -> Asked:
    return Asked(js)


@pytest.fixture
def desired(js: JetStreamContext) -> Desired:
    return Desired(js)


@pytest.fixture
def profile() -> ObservationProfile:
    """Devices listen for AWAKE_WINDOW_S, unless a test module says otherwise."""
    return ObservationProfile(awake_window_s=AWAKE_WINDOW_S)


@pytest.fixture
async def stored_profile(js: JetStreamContext, profile: ObservationProfile) -> None:
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put(DEFAULT_KEY, profile.model_dump_json().encode())


@pytest.fixture
async def gateway(stored_profile: None, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    return service("flownexus_gateway")


@pytest.fixture
def device(gateway: ServiceProcess) -> Iterator[LockstepDevice]:
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "device-1") as one:
        yield one


@pytest.fixture
def operations(gateway: ServiceProcess, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    return service("flownexus_operations")


async def asleep(device: LockstepDevice) -> None:
    """Registered in queue mode, and its awake window over."""
    device.register(LINKS, "b=U", "Q")
    await silence(device, AWAKE_WINDOW_S + 0.5)


async def silence(device: LockstepDevice, seconds: float) -> None:
    """The server sends nothing for so long."""
    with pytest.raises(Silence):
        await served(lambda: device.receive(seconds))


async def served(serve: Callable[[], Any]) -> Any:
    """Play the device while the loop goes on."""
    return await asyncio.to_thread(serve)
