"""A report that could not be decoded, tried again with the models, or the Content-Format, of today."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError
from sqlalchemy import Row

from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.errors import InvalidMessage, InvalidRequest, Unavailable
from flownexus_schemas.events import Report, ReportedRecord, Trigger, ValuesReported, parse_event
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.errors import Lwm2mError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.timestamps import TimedRecord, anchor
from flownexus_schemas.reported_values import wire_value
from flownexus_schemas.subjects import EventKind, Stream

Undecoded = Row[Any]
"""A row of `undecoded_report` with name, object_versions and root_path of its endpoint."""

MAX_RECORDS_BYTES, MAX_PAYLOAD_CHARACTERS = 450_000, 400_000
"""What one message takes of values, and of the payload beside them; together below NATS's 1 MiB."""


def decoded(
    row: Undecoded, models: ObjectModels, content_format: int | None, base_path: str | None
) -> tuple[list[TimedRecord], int]:
    """The values of the payload, and the Content-Format that they were read in.

    `content_format` in place of what the device stated; `base_path` of the request where that is not known. Raises
    InvalidRequest with the reason.
    """
    if not row.payload:
        raise InvalidRequest("It cannot be decoded: there is no payload.")
    base = _base(row, base_path)
    stated = row.content_format if content_format is None else content_format
    format_ = _assumed(base) if stated is None else stated
    versions = {int(object_id): version for object_id, version in row.object_versions.items()}
    try:
        records = codecs.decode(row.payload, format_, base, models, versions, root_path=row.root_path or "/")
    except Lwm2mError as error:
        raise InvalidRequest(f"It still cannot be decoded: {error}.") from error
    if not records:
        raise InvalidRequest("It still cannot be decoded: the payload has no values.")
    return anchor(records, row.received_at.timestamp()), format_


async def publish(js: JetStreamContext, row: Undecoded, records: list[TimedRecord], content_format: int) -> None:
    """Publish the values as the report that they should have been, in parts where one message does not hold them.

    The same twice is once: ingest stores the values of a report once. Raises Unavailable.
    """
    report = await _original(js, row)
    payload = report.payload if len(report.payload) <= MAX_PAYLOAD_CHARACTERS else ""
    parts = _parts([_reported(record, row) for record in records])
    for number, part in enumerate(parts):
        again = report.model_copy(
            update={
                "records": tuple(part),
                "content_format": content_format,
                "payload": payload if number == 0 else "",
                "undecoded": None,
                "retry_of": row.stream_sequence,
                "part": number,
                "parts": len(parts),
            }
        )
        await _publish(js, row, again, f"{content_format}\0{number}")


async def dismiss(js: JetStreamContext, row: Undecoded) -> None:
    """Publish that the report waits for no retry. Twice is once. Raises Unavailable."""
    none = {"records": (), "payload": "", "undecoded": None, "retry_of": row.stream_sequence}
    await _publish(js, row, (await _original(js, row)).model_copy(update=none), "dismissed")


async def _publish(js: JetStreamContext, row: Undecoded, report: Report, what: str) -> None:
    key = f"{row.name}\0{row.stream_sequence}\0{row.received_at.isoformat()}\0{what}"
    event_id = sha256(key.encode()).hexdigest()[:32]
    event = ValuesReported(id=event_id, source="/api", subject=row.name, time=datetime.now(UTC), data=report)
    try:
        await js.publish(
            subjects.event(row.name, EventKind.REPORTED),
            event.model_dump_json().encode(),
            headers={"Nats-Msg-Id": event_id, subjects.LATE: "retry"},
        )
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not take the report; try again shortly.") from error


def _parts(records: list[ReportedRecord]) -> list[list[ReportedRecord]]:
    """The records in lists that a message holds."""
    parts: list[list[ReportedRecord]] = [[]]
    size = 0
    for record in records:
        length = len(record.model_dump_json().encode()) + 1
        if parts[-1] and size + length > MAX_RECORDS_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(record)
        size += length
    return parts


async def _original(js: JetStreamContext, row: Undecoded) -> Report:
    """The report as the gateway published it; made up from the row where the stream has it no more."""
    try:
        message = await js.get_msg(Stream.EVENTS, seq=row.stream_sequence)
        event = parse_event(message.data or b"")
    except (NotFoundError, InvalidMessage):
        event = None
    except (NatsError, TimeoutError) as error:
        raise Unavailable("The message bus does not give the report; try again shortly.") from error
    if isinstance(event, ValuesReported) and event.subject == row.name and event.data.received_at == row.received_at:
        return event.data
    made: Mapping[str, Any] = {
        "registration_id": row.registration_id or "",
        "trigger": Trigger(row.trigger),
        "composite": False,
        "records": (),
        "content_format": row.content_format,
        "payload": "",
        "received_at": row.received_at,
    }
    return Report(**made)


def _reported(record: TimedRecord, row: Undecoded) -> ReportedRecord:
    return ReportedRecord(
        path=str(record.path),
        type=record.type,
        value=wire_value(record.value),
        time=row.received_at if record.anchored else utc(record.time),
        anchored=record.anchored,
        marks=record.marks,
    )


def _base(row: Undecoded, base_path: str | None) -> Path:
    """What was asked for: the one path that was observed, else the root. Raises InvalidRequest."""
    known = row.paths if row.paths and "," not in row.paths else ""
    try:
        return Path.parse(base_path if base_path is not None else known)
    except Lwm2mError as error:
        raise InvalidRequest(f"base_path: {error}.") from error


def _assumed(base: Path) -> int:
    return ContentFormat.TEXT if base.depth >= 3 else ContentFormat.TLV
