"""Events to rows, without I/O: the same messages give the same rows."""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Sequence
from datetime import timedelta
from functools import lru_cache
from math import floor

import orjson

from flownexus_ingest.endpoint_changes import EndpointChange
from flownexus_ingest.rows import (
    Happening,
    Log,
    Outcome,
    Reading,
    Rejected,
    Retried,
    Rows,
    StatedVersions,
    Step,
    TypeKey,
    Undecoded,
)
from flownexus_ingest.value_types import ValueTypes
from flownexus_ingest.values import ValueColumns
from flownexus_runtime.stream_message import Message
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.events import (
    FIRST_BLOCK,
    BootstrapProgressed,
    DeregistrationReason,
    EndpointDeregistered,
    EndpointHeard,
    EndpointOverdue,
    EndpointRegistered,
    EndpointUpdated,
    Event,
    LogReported,
    ObservationChanged,
    Trigger,
    ValuesReported,
    parse_event,
    subject_of,
)
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.tables.devices import NO_INSTANCE

REGISTRATION_EVENTS = 10240
"""The object whose resources are the registration events of an endpoint."""

REGISTERED, UNREGISTERED, UPDATED = 0, 1, 2
DEFAULT_EVENT_TYPE = "composite"


def project(messages: Sequence[Message], types: ValueTypes) -> Rows:
    """The rows of these messages, which are in the order of the stream. One that cannot be read is in `rejected`.

    `types` learns the versions of objects that they state.
    """
    rows = Rows()
    for message in messages:
        try:
            event = parse_event(message.payload)
            if subject_of(event) != message.subject:
                raise InvalidMessage(f"an event of {event.subject!r} ({event.type}) came on another subject")
            _add(rows, event, message.sequence, types)
        except Exception as error:
            rows.rejected.append(Rejected(message, f"{type(error).__name__}: {error}"))
    rows.decoded_by = {key: types.fingerprint(key) for key in {series[1] for series in rows.latest}}
    return rows


def _add(rows: Rows, event: Event, sequence: int, types: ValueTypes) -> None:
    """Add one event. What can fail comes before the first change of `rows`: an event is added whole or not at all."""
    match event:
        case EndpointRegistered() | EndpointUpdated():
            before = types.state(event.subject, event.data.object_versions)
            _add_registration(rows, event, sequence)
            if before is not None:
                rows.versions_before.setdefault(event.subject, before)
                rows.versions.append(StatedVersions(event.subject, sequence, event.data.object_versions))
        case EndpointDeregistered():
            reading = _life_reading(event, sequence, UNREGISTERED)
            change = _change(rows, event, sequence)
            change.deregister(event.data)
            if event.data.reason is DeregistrationReason.REQUEST:
                change.spoke(event.time)
            rows.add_reading(reading)
        case ValuesReported():
            _add_report(rows, event, sequence, types)
        case ObservationChanged():
            outcome = _outcome(event, sequence)
            _change(rows, event, sequence)
            rows.outcomes[outcome[:3]] = outcome
        case LogReported():
            log = Log(event.data.time, sequence, event.subject, event.data.level, _text(event.data.text))
            _change(rows, event, sequence).seen(event.time)
            rows.logs.append(log)
        case EndpointHeard():
            _change(rows, event, sequence).seen(event.time)
        case EndpointOverdue():
            _change(rows, event, sequence).overdue_since = event.time
        case BootstrapProgressed():
            rows.steps.append(_step(event, sequence))


def _add_registration(rows: Rows, event: EndpointRegistered | EndpointUpdated, sequence: int) -> None:
    anew = isinstance(event, EndpointRegistered)
    reading = _life_reading(event, sequence, REGISTERED if anew else UPDATED)
    expires_at = event.time + timedelta(seconds=event.data.lifetime_s)
    change = _change(rows, event, sequence)
    change.register(event.data, event.time, expires_at)
    if anew:
        change.registered_at = event.time
    rows.add_reading(reading)


def _add_report(rows: Rows, event: ValuesReported, sequence: int, types: ValueTypes) -> None:
    report = event.data
    readings = [_reading(event, sequence, index, types) for index in range(len(report.records))]
    undecoded = _undecoded(event, sequence) if report.undecoded is not None else None
    retried = None if report.retry_of is None else _retried(event, report.retry_of, sequence)
    change = _change(rows, event, sequence)
    if report.trigger is Trigger.READ or report.retry_of is not None:
        change.seen(report.received_at)
    else:
        change.spoke(report.received_at)
    for reading in readings:
        rows.add_reading(reading)
    if report.composite and readings:
        newest = max(reading.time for reading in readings)
        event_type = _text(report.event_type or DEFAULT_EVENT_TYPE)
        rows.happenings.append(Happening(newest, sequence, event.subject, event_type, report.received_at, readings))
    if undecoded is not None:
        rows.undecoded.append(undecoded)
    if retried is not None:
        rows.retried.append(retried)


def _retried(event: ValuesReported, retry_of: int, sequence: int) -> Retried:
    report = event.data
    if report.part >= report.parts:
        raise InvalidMessage(f"it is part {report.part} of {report.parts}, which are counted from 0")
    return Retried(
        decoded_at=event.time,
        received_at=report.received_at,
        stream_sequence=retry_of,
        endpoint=event.subject,
        by_sequence=sequence,
        part=report.part,
        parts=report.parts,
        dismissed=not report.records,
    )


def _change(rows: Rows, event: Event, sequence: int) -> EndpointChange:
    change = rows.endpoints.get(event.subject)
    if change is None:
        change = rows.endpoints[event.subject] = EndpointChange(first_seen_at=event.time, last_sequence=sequence)
    change.last_sequence = sequence
    return change


def _life_reading(
    event: EndpointRegistered | EndpointUpdated | EndpointDeregistered, sequence: int, resource_id: int
) -> Reading:
    """A registration event as a reading of type time: its value is its own time, in whole seconds as LwM2M has it."""
    return Reading(
        time=event.time,
        stream_sequence=sequence,
        record_index=0,
        endpoint=event.subject,
        resource=(REGISTRATION_EVENTS, resource_id),
        object_instance_id=0,
        resource_instance_id=NO_INSTANCE,
        received_at=event.time,
        data_type=DataType.TIME.value,
        value=ValueColumns(value_integer=floor(event.time.timestamp())),
    )


def _reading(event: ValuesReported, sequence: int, index: int, types: ValueTypes) -> Reading:
    record = event.data.records[index]
    path, resource, object_instance_id, resource_instance_id = _placed(record.path)
    data_type, value = types.fitted(event.subject, path, event.data, index)
    return Reading(
        record.time,
        sequence,
        index,
        event.subject,
        resource,
        object_instance_id,
        resource_instance_id,
        event.data.received_at,
        data_type.value,
        value,
        [mark.value for mark in record.marks] or None,
    )


@lru_cache(maxsize=65536)
def _placed(text: str) -> tuple[Path, TypeKey, int, int]:
    """The path, resource type, object instance and resource instance that a record's path names. Raises InvalidPath."""
    path = Path.parse(text)
    match path.ids:
        case (object_id, object_instance_id, resource_id):
            return path, (object_id, resource_id), object_instance_id, NO_INSTANCE
        case (object_id, object_instance_id, resource_id, resource_instance_id):
            return path, (object_id, resource_id), object_instance_id, resource_instance_id
        case _:
            raise InvalidPath(f"a value is at a resource or a resource instance, not at {text[:80]!r}")


def _outcome(event: ObservationChanged, sequence: int) -> Outcome:
    change = event.data
    paths = ",".join(change.observation.paths)
    return Outcome(
        endpoint=event.subject,
        paths=paths,
        composite=change.composite,
        state=change.state.value,
        code=change.code,
        diagnostic=_text(change.diagnostic) if change.diagnostic is not None else None,
        time=event.time,
        stream_sequence=sequence,
        attributes=change.attributes,
        attributes_code=change.attributes_code,
        attributes_diagnostic=_text(change.attributes_diagnostic) if change.attributes_diagnostic is not None else None,
    )


def _undecoded(event: ValuesReported, sequence: int) -> Undecoded:
    report = event.data
    return Undecoded(
        stream_sequence=sequence,
        endpoint=event.subject,
        received_at=report.received_at,
        trigger=report.trigger.value,
        paths=",".join(report.observation.paths) if report.observation is not None else None,
        content_format=report.content_format,
        payload=b64decode(report.payload, validate=True),
        reason=_text(report.undecoded or ""),
        dismissed_at=report.received_at if report.undecoded == FIRST_BLOCK else None,
    )


def _step(event: BootstrapProgressed, sequence: int) -> Step:
    step = event.data
    return Step(
        time=event.time,
        stream_sequence=sequence,
        endpoint=_text(event.subject),
        session=step.session,
        state=step.state.value,
        text=_text(step.text),
        notes=_json([_text(note) for note in step.notes]),
        code=step.code,
        profile=step.profile,
        credentials=_json(step.credentials),
        identity=None if step.identity is None else _text(step.identity),
        address_host=step.address.host,
        address_port=step.address.port,
        gateway=step.gateway,
    )


def _json(texts: Sequence[str]) -> str:
    return orjson.dumps(texts).decode()


def _text(text: str) -> str:
    """Text of a device for people to read: PostgreSQL's has no NUL."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
