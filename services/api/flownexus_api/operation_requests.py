"""Operations on the bus: asked for, read as they stand, taken back. What carries them out is the operations service."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

from fastapi import Header
from nats.errors import Error as NatsError
from nats.js.api import Header as NatsHeader
from nats.js.errors import APIError, BadRequestError, NotFoundError
from pydantic import AwareDatetime, Field

from flownexus_api.access import Person
from flownexus_api.bus import Bus
from flownexus_api.device_request import DeviceRequest
from flownexus_schemas import subjects
from flownexus_schemas.commands import AnyCommand
from flownexus_schemas.errors import InvalidMessage, InvalidRequest, NotFound, Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE
from flownexus_schemas.operations.lifecycle import Cancelled, apply
from flownexus_schemas.operations.messages import (
    OperationCancelled,
    OperationEvent,
    OperationRequested,
    parse_operation_event,
)
from flownexus_schemas.operations.operation import MAX_COMMAND_BYTES, Operation
from flownexus_schemas.subjects import Stream

SOURCE = "/api"
MAX_RACES = 10
"""How often a change that something overtook is tried again."""

_AWAY = (NatsError, APIError, TimeoutError)

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="Chosen by the caller: asked again with the same key, nothing is done a second time.",
    ),
]


class OperationRequest(DeviceRequest):
    """A request to a device that is carried out when the device listens; `timeout_s` bounds each attempt."""

    expires_at: AwareDatetime | None = Field(default=None, description="It is not sent any more from then on.")
    priority: int = Field(default=0, ge=-1000, le=1000, description="Higher first; equal ones in the order they came.")

    def check_expiry(self, now: datetime) -> None:
        """Raises InvalidRequest where it would never be sent."""
        if self.expires_at is not None and self.expires_at <= now:
            raise InvalidRequest(f"expires_at: it is past; it is {now:%Y-%m-%dT%H:%M:%SZ} here.")


def name_of_operation(who: Person, key: str | None, *parts: str) -> str:
    """A new id; with a key always the same one for the same person and `parts`."""
    if key is None:
        return uuid4().hex
    text = "\0".join((str(who.id), key, *parts))
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def operation_of(
    asked: OperationRequest,
    command: AnyCommand,
    *,
    operation_id: str,
    who: Person,
    now: datetime,
    batch: str | None = None,
) -> Operation:
    """The operation that is asked for. Raises InvalidRequest where it is too large to be kept."""
    size = len(command.model_dump_json().encode())
    if size > MAX_COMMAND_BYTES:
        raise InvalidRequest(
            f"The request has {size} bytes as JSON, and an operation at most {MAX_COMMAND_BYTES}; send larger ones "
            "with POST /requests while the device listens."
        )
    return Operation(
        id=operation_id,
        endpoint=command.endpoint,
        command=command,
        priority=asked.priority,
        requested_at=now,
        requested_by=who.name,
        expires_at=asked.expires_at,
        batch=batch,
    )


async def request(bus: Bus, operation: Operation) -> Operation:
    """Have it on the stream; what is there already under its id is left, and returned.

    Raises InvalidRequest where that is another request, Unavailable.
    """
    event = OperationRequested(
        id=f"{operation.id}-requested",
        source=SOURCE,
        subject=operation.endpoint,
        time=operation.requested_at,
        data=operation,
    )
    if await _append(bus, event, after=0):
        return operation
    known, _ = await load(bus, operation.id, operation.endpoint)
    asked_again = operation.model_copy(update={"requested_at": known.requested_at})
    if _wish(known) != _wish(asked_again):
        raise InvalidRequest("header.idempotency-key: it was used for another request; choose a new one.")
    return known


async def load(bus: Bus, operation_id: str, endpoint: str | None = None) -> tuple[Operation, int]:
    """The operation as it stands, and the sequence that says so. Raises NotFound, Unavailable.

    Without the endpoint NATS looks through all of them.
    """
    subject = (
        subjects.operation_of_any(operation_id) if endpoint is None else subjects.operation(endpoint, operation_id)
    )
    try:
        message = await bus.jetstream().get_last_msg(Stream.OPERATIONS, subject)
    except NotFoundError as error:
        raise unknown_operation(operation_id) from error
    except _AWAY as error:
        raise Unavailable("The message bus does not give the operation; try again shortly.") from error
    try:
        return parse_operation_event(message.data or b"").data, message.seq or 0
    except InvalidMessage as error:
        raise unknown_operation(operation_id) from error


async def cancel(bus: Bus, operation_id: str, who: Person, endpoint: str | None = None) -> Operation:
    """Take it back while it is queued. Raises NotFound, Conflict where it is queued no more, Unavailable."""
    for _ in range(MAX_RACES):
        known, sequence = await load(bus, operation_id, endpoint)
        now = datetime.now(UTC)
        cancelled = apply(known, Cancelled(who.name), now)
        event = OperationCancelled(
            id=f"{operation_id}-{sequence}-cancelled", source=SOURCE, subject=known.endpoint, time=now, data=cancelled
        )
        if await _append(bus, event, after=sequence):
            return cancelled
    raise Unavailable("The operation changes too fast to be cancelled; try again shortly.")


def unknown_operation(operation_id: str) -> NotFound:
    return NotFound(f"There is no operation {operation_id!r}.")


def _wish(operation: Operation) -> tuple[object, ...]:
    return (operation.endpoint, operation.command, operation.priority, operation.expires_at)


async def _append(bus: Bus, event: OperationEvent, after: int) -> bool:
    """Whether it is kept; not where the subject has another last message. Raises Unavailable."""
    operation = event.data
    try:
        await bus.jetstream().publish(
            subjects.operation(operation.endpoint, operation.id),
            event.model_dump_json().encode(),
            stream=Stream.OPERATIONS,
            headers={NatsHeader.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(after)},
        )
    except BadRequestError as error:
        if error.err_code != WRONG_LAST_SEQUENCE:
            raise Unavailable("The message bus does not take the operation; try again shortly.") from error
        return False
    except _AWAY as error:
        raise Unavailable(
            "It is not known whether the message bus has the operation; ask again with the same Idempotency-Key."
        ) from error
    return True
