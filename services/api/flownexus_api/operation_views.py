"""Operations as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field
from sqlalchemy import Row, and_, case, column, or_, outerjoin, select, table

from flownexus_api.values import WireValue
from flownexus_schemas.operations.operation import Operation, OperationStatus
from flownexus_schemas.tables import EndpointOperation as Kept

_ENDPOINT = table(
    "endpoint_status",
    *map(column, ("name", "status", "answers_asleep_within_s", "next_expected_at", "next_expected_by")),
)
# What was not sent yet goes out at once where the device listens.
_WAITS = and_(
    Kept.status == OperationStatus.QUEUED.value,
    or_(
        Kept.attempts > 0,
        _ENDPOINT.c.status == "offline",
        and_(_ENDPOINT.c.status == "asleep", _ENDPOINT.c.answers_asleep_within_s.is_(None)),
    ),
)

_COLUMNS: tuple[Any, ...] = (
    Kept.id,
    Kept.endpoint,
    Kept.operation_type,
    Kept.request,
    Kept.priority,
    Kept.batch,
    Kept.status,
    Kept.attempts,
    Kept.max_attempts,
    Kept.created_at,
    Kept.requested_by,
    Kept.expires_at,
    Kept.last_attempt_at,
    Kept.finished_at,
    Kept.last_action,
    Kept.code,
    Kept.diagnostic,
    Kept.answer,
    case((_WAITS, _ENDPOINT.c.next_expected_at)).label("forecast_at"),
    case((_WAITS, _ENDPOINT.c.next_expected_by)).label("forecast_by"),
)

OPERATIONS = select(*_COLUMNS).select_from(outerjoin(Kept, _ENDPOINT, _ENDPOINT.c.name == Kept.endpoint))
"""Rows for `shown`."""

_OF_THE_ENVELOPE = frozenset({"endpoint", "operation", "operation_id", "operation_attempt", "send_by"})


class OperationValue(BaseModel):
    """A value that the device sent in its answer."""

    path: str
    type: str
    value: WireValue
    time: datetime


class EndpointOperation(BaseModel):
    """A request to a device that is carried out when the device listens, as it stands.

    QUEUED: it waits for the device. SENDING: it is on its way. CONFIRMED: the device did it. FAILED: the device
    refused, or did not answer to the last attempt. CANCELLED, EXPIRED: it was not sent any more.
    """

    id: str
    endpoint: str
    operation: str = Field(description="read, write, execute, ...")
    request: dict[str, Any] = Field(description="What the device is asked for: `path`, `values` and so on.")
    priority: int
    batch: str | None = Field(description="Shared by the operations that one request made.")
    status: OperationStatus
    attempts: int = Field(description="How often it was sent.")
    max_attempts: int
    requested_at: datetime
    requested_by: str | None
    expires_at: datetime | None
    forecast_at: datetime | None = Field(
        default=None,
        description="When the device that it waits for is heard next, by what that did until now; null where it does "
        "not wait.",
    )
    forecast_by: datetime | None = Field(default=None, description="The device came by then nine times of ten.")
    last_attempt_at: datetime | None
    finished_at: datetime | None
    last_action: str = Field(description="What happened last, as a sentence.")
    code: str | None = Field(description="The device's CoAP code.")
    diagnostic: str | None = Field(description="What the device said to it.")
    values: list[OperationValue] = Field(description="What the device answered to a read.")
    location: str | None = Field(description="Path of a created object instance.")
    links: str | None = Field(description="CoRE links answered to a discover.")


class OperationStep(BaseModel):
    """Something that happened to an operation."""

    time: datetime
    status: OperationStatus
    attempts: int
    action: str
    code: str | None
    diagnostic: str | None


class OperationDetail(EndpointOperation):
    """An operation with all that happened to it, the oldest first; empty while it is newer than the tables."""

    history: list[OperationStep]


def shown(row: Row[Any]) -> dict[str, Any]:
    """The fields of an EndpointOperation from its row, one of OPERATIONS."""
    answer = row.answer or {}
    return {
        "id": row.id,
        "endpoint": row.endpoint,
        "operation": row.operation_type,
        "request": _asked(row.request),
        "priority": row.priority,
        "batch": row.batch,
        "status": row.status,
        "attempts": row.attempts,
        "max_attempts": row.max_attempts,
        "requested_at": row.created_at,
        "requested_by": row.requested_by,
        "expires_at": row.expires_at,
        "forecast_at": row.forecast_at,
        "forecast_by": row.forecast_by,
        "last_attempt_at": row.last_attempt_at,
        "finished_at": row.finished_at,
        "last_action": row.last_action,
        "code": row.code,
        "diagnostic": row.diagnostic,
        **_answered(answer),
    }


def shown_from_stream(operation: Operation) -> dict[str, Any]:
    """The same from the stream, where the tables are behind."""
    answer = operation.answer
    return {
        **operation.model_dump(include=_SAME),
        "operation": operation.command.operation,
        "request": _asked(operation.command.model_dump(mode="json")),
        "last_attempt_at": None if operation.attempt is None else operation.attempt.started_at,
        "code": None if answer is None else answer.code,
        "diagnostic": None if answer is None else answer.diagnostic,
        **_answered({} if answer is None else answer.model_dump(mode="json")),
    }


_SAME = EndpointOperation.model_fields.keys() & Operation.model_fields.keys()


def _asked(command: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in command.items() if name not in _OF_THE_ENVELOPE and part is not None}


def _answered(answer: dict[str, Any]) -> dict[str, Any]:
    return {
        "values": answer.get("values", []),
        "location": answer.get("location"),
        "links": answer.get("links"),
    }
