"""Messages of LWM2M_OPERATIONS as rows of `endpoint_operation` and its history. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from flownexus_ingest.projected import Projected, Projection, json, text
from flownexus_ingest.rows import Rejected
from flownexus_ingest.staging import inserted_once, kept_newest
from flownexus_runtime.stream_message import Message
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, InvalidName
from flownexus_schemas.operations.messages import AnyOperationEvent, parse_operation_event


class OperationRow(NamedTuple):
    """A row of `endpoint_operation`."""

    id: str
    endpoint: str
    operation_type: str
    request: str
    priority: int
    batch: str | None
    status: str
    attempts: int
    max_attempts: int
    created_at: datetime
    requested_by: str | None
    expires_at: datetime | None
    last_attempt_at: datetime | None
    finished_at: datetime | None
    last_action: str
    code: str | None
    diagnostic: str | None
    answer: str | None
    stream_sequence: int


class OperationChangeRow(NamedTuple):
    """A row of `endpoint_operation_change`."""

    operation_id: str
    stream_sequence: int
    time: datetime
    status: str
    attempts: int
    action: str
    code: str | None
    diagnostic: str | None


_KEY, _ORDER = ("id",), ("stream_sequence",)
_OTHERS = tuple(name for name in OperationRow._fields if name not in (*_KEY, *_ORDER))
OPERATION = kept_newest("endpoint_operation", _KEY, _ORDER, _OTHERS)
CHANGE = inserted_once("endpoint_operation_change", OperationChangeRow._fields)


def project(messages: Sequence[Message]) -> Projected:
    """Each operation as its last message has it, and every step. Answers that gateways keep are no steps."""
    projected = Projected()
    operations: dict[str, OperationRow] = {}
    changes: list[OperationChangeRow] = []
    for message in messages:
        try:
            endpoint, operation_id, is_answer = subjects.operation_of_subject(message.subject)
            if is_answer:
                continue
            event = parse_operation_event(message.payload)
            if (event.data.endpoint, event.data.id) != (endpoint, operation_id):
                raise InvalidMessage(f"operation {event.data.id} of {event.data.endpoint!r} on the subject of another")
        except (InvalidMessage, InvalidName) as error:
            projected.rejected.append(Rejected(message, f"{type(error).__name__}: {error}"))
            continue
        operations[event.data.id] = _operation(event, message.sequence)
        changes.append(_change(event, message.sequence))
    columns = OPERATION.columns
    projected.rows = [
        (OPERATION, [[getattr(row, name) for name in columns] for row in operations.values()]),
        (CHANGE, changes),
    ]
    return projected


def _operation(event: AnyOperationEvent, sequence: int) -> OperationRow:
    operation, (code, diagnostic) = event.data, _said(event)
    return OperationRow(
        id=operation.id,
        endpoint=text(operation.endpoint),
        operation_type=operation.command.operation,
        request=json(operation.command),
        priority=operation.priority,
        batch=operation.batch,
        status=operation.status,
        attempts=operation.attempts,
        max_attempts=operation.max_attempts,
        created_at=operation.requested_at,
        requested_by=operation.requested_by,
        expires_at=operation.expires_at,
        last_attempt_at=None if operation.attempt is None else operation.attempt.started_at,
        finished_at=operation.finished_at,
        last_action=text(operation.last_action),
        code=code,
        diagnostic=diagnostic,
        answer=None if operation.answer is None else json(operation.answer),
        stream_sequence=sequence,
    )


def _change(event: AnyOperationEvent, sequence: int) -> OperationChangeRow:
    operation, (code, diagnostic) = event.data, _said(event)
    return OperationChangeRow(
        operation_id=operation.id,
        stream_sequence=sequence,
        time=event.time,
        status=operation.status,
        attempts=operation.attempts,
        action=text(operation.last_action),
        code=code,
        diagnostic=diagnostic,
    )


def _said(event: AnyOperationEvent) -> tuple[str | None, str | None]:
    """The device's code, and its words to it."""
    answer = event.data.answer
    if answer is None:
        return None, None
    return text(answer.code), None if answer.diagnostic is None else text(answer.diagnostic)


OPERATIONS = Projection(
    subjects=subjects.ALL_OPERATIONS,
    stages=(OPERATION, CHANGE),
    forget=("update endpoint_operation set stream_sequence = 0 where stream_sequence <> 0",),
    project=project,
)
