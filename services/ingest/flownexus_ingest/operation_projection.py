"""Messages of LWM2M_OPERATIONS as rows of `endpoint_operation` and its history. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from pydantic import BaseModel

from flownexus_ingest.rows import Rejected
from flownexus_runtime.stream_message import Message
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, InvalidName
from flownexus_schemas.operations.messages import AnyOperationEvent, parse_operation_event

NUL, ITS_SYMBOL = "\0", "\N{SYMBOL FOR NULL}"


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


@dataclass(slots=True)
class OperationRows:
    """What one batch writes: each operation as its last message has it, and every step."""

    operations: dict[str, OperationRow] = field(default_factory=dict)
    changes: list[OperationChangeRow] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


def project(messages: Sequence[Message]) -> OperationRows:
    """The rows of these messages, in the order of the stream. Answers that gateways keep are no steps."""
    rows = OperationRows()
    for message in messages:
        try:
            endpoint, operation_id, is_answer = subjects.operation_of_subject(message.subject)
            if is_answer:
                continue
            event = parse_operation_event(message.payload)
            if (event.data.endpoint, event.data.id) != (endpoint, operation_id):
                raise InvalidMessage(f"operation {event.data.id} of {event.data.endpoint!r} on the subject of another")
        except (InvalidMessage, InvalidName) as error:
            rows.rejected.append(Rejected(message, f"{type(error).__name__}: {error}"))
            continue
        _add(rows, event, message.sequence)
    return rows


def _add(rows: OperationRows, event: AnyOperationEvent, sequence: int) -> None:
    operation = event.data
    answer = operation.answer
    code = None if answer is None else _text(answer.code)
    diagnostic = None if answer is None or answer.diagnostic is None else _text(answer.diagnostic)
    action = _text(operation.last_action)
    rows.operations[operation.id] = OperationRow(
        id=operation.id,
        endpoint=_text(operation.endpoint),
        operation_type=operation.command.operation,
        request=_json(operation.command),
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
        last_action=action,
        code=code,
        diagnostic=diagnostic,
        answer=None if answer is None else _json(answer),
        stream_sequence=sequence,
    )
    rows.changes.append(
        OperationChangeRow(
            operation_id=operation.id,
            stream_sequence=sequence,
            time=event.time,
            status=operation.status,
            attempts=operation.attempts,
            action=action,
            code=code,
            diagnostic=diagnostic,
        )
    )


def _text(text: str) -> str:
    """PostgreSQL has no NUL in text: its symbol stands for it. The stream keeps it as it was."""
    return text.replace(NUL, ITS_SYMBOL)


def _json(part: BaseModel) -> str:
    return orjson.dumps(_without_nul(part.model_dump(mode="json"))).decode()


def _without_nul(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _without_nul(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nul(item) for item in value]
    return value
