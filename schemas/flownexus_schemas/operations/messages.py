"""Messages of LWM2M_OPERATIONS on `lwm2m.operation.<endpoint>.<operation id>`, and the gateway's answer below it.

Each carries the operation as it is after what happened, so the last message of a subject is all there is to know.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from flownexus_schemas.cloudevent import CloudEvent, Frozen
from flownexus_schemas.commands import CommandAnswer
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.operations.lifecycle import (
    Cancelled,
    Confirmed,
    Dispatched,
    Expired,
    GivenUp,
    Happening,
    NotSent,
    Refused,
    Unanswered,
)
from flownexus_schemas.operations.operation import Operation


class OperationEvent(CloudEvent):
    """What every message carries."""

    data: Operation


class OperationRequested(OperationEvent):
    """Somebody asked for it."""

    type: Literal["io.flownexus.operation.requested.v1"] = "io.flownexus.operation.requested.v1"


class OperationSending(OperationEvent):
    """It goes to the device."""

    type: Literal["io.flownexus.operation.sending.v1"] = "io.flownexus.operation.sending.v1"


class OperationConfirmed(OperationEvent):
    """The device did it."""

    type: Literal["io.flownexus.operation.confirmed.v1"] = "io.flownexus.operation.confirmed.v1"


class OperationFailed(OperationEvent):
    """The device refused, or did not answer to the last attempt."""

    type: Literal["io.flownexus.operation.failed.v1"] = "io.flownexus.operation.failed.v1"


class OperationRequeued(OperationEvent):
    """No answer; it waits for the device's next sign of life."""

    type: Literal["io.flownexus.operation.requeued.v1"] = "io.flownexus.operation.requeued.v1"


class OperationCancelled(OperationEvent):
    """Somebody took it back before it was sent."""

    type: Literal["io.flownexus.operation.cancelled.v1"] = "io.flownexus.operation.cancelled.v1"


class OperationExpired(OperationEvent):
    """Its time was over before it was sent."""

    type: Literal["io.flownexus.operation.expired.v1"] = "io.flownexus.operation.expired.v1"


AnyOperationEvent = Annotated[
    OperationRequested
    | OperationSending
    | OperationConfirmed
    | OperationFailed
    | OperationRequeued
    | OperationCancelled
    | OperationExpired,
    Field(discriminator="type"),
]

EVENT_OF: dict[type[Happening], type[OperationEvent]] = {
    Dispatched: OperationSending,
    Confirmed: OperationConfirmed,
    Refused: OperationFailed,
    GivenUp: OperationFailed,
    Unanswered: OperationRequeued,
    NotSent: OperationRequeued,
    Cancelled: OperationCancelled,
    Expired: OperationExpired,
}

_adapter: TypeAdapter[AnyOperationEvent] = TypeAdapter(AnyOperationEvent)


class KeptAnswer(Frozen):
    """The device's answer to one attempt, kept by the gateway before it replies: whoever asked may have died."""

    operation_id: str
    attempt: int = Field(ge=1)
    answer: CommandAnswer
    received_at: AwareDatetime


def parse_operation_event(payload: bytes) -> AnyOperationEvent:
    """Read one message of an operation's subject. Raises InvalidMessage with the reason."""
    try:
        return _adapter.validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidMessage(f"not an operation event: {where}: {first['msg']}") from error


def parse_kept_answer(payload: bytes) -> KeptAnswer:
    """Read one message of an operation's answers. Raises InvalidMessage with the reason."""
    try:
        return KeptAnswer.model_validate_json(payload)
    except ValidationError as error:
        raise InvalidMessage(f"not a kept answer: {error.errors()[0]['msg']}") from error
