"""A payload as a `reported` event. The JSON is written directly; a test holds it equal to the ValuesReported model."""

from __future__ import annotations

import base64
from typing import NamedTuple

import orjson
import structlog

from flownexus_gateway import metrics
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.events import FIRST_BLOCK, Trigger, ValuesReported
from flownexus_schemas.lwm2m import codecs
from flownexus_schemas.lwm2m.errors import Lwm2mError
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.timestamps import TimedRecord, anchor
from flownexus_schemas.registrations import Observation
from flownexus_schemas.reported_values import wire_value

log = structlog.get_logger(__name__)

_TYPE = ValuesReported.model_fields["type"].default


class Report(NamedTuple):
    """One payload from a device. `received_at` in Unix seconds; `assumed_format` where it states none.

    `is_first_block`: more blocks follow that are not here. RFC 7959, 2.6.
    """

    live: LiveRegistration
    trigger: Trigger
    composite: bool
    event_type: str | None
    observation: Observation | None
    base_path: Path
    payload: bytes
    content_format: int | None
    assumed_format: int
    received_at: float
    is_first_block: bool = False


def decode(report: Report, models: ObjectModels) -> tuple[list[TimedRecord], str | None]:
    """The values, or none and the reason why."""
    if report.is_first_block:
        return [], FIRST_BLOCK
    format_ = report.assumed_format if report.content_format is None else report.content_format
    try:
        records = codecs.decode(
            report.payload,
            format_,
            report.base_path,
            models,
            report.live.versions,
            root_path=report.live.registration.root_path,
        )
    except Lwm2mError as error:
        metrics.UNDECODED.inc()
        return [], str(error)
    if report.content_format is None and report.payload:
        records = [record._replace(marks=(*record.marks, Mark.CONTENT_FORMAT_ASSUMED)) for record in records]
    timed = anchor(records, report.received_at)
    if any(record.marks for record in timed):
        _note(report.live, timed)
    return timed, None


def _note(live: LiveRegistration, records: list[TimedRecord]) -> None:
    """Count what was assumed, and log each kind once in a registration."""
    for record in records:
        for mark in record.marks:
            metrics.MARKS.labels(mark.value).inc()
            if mark not in live.noted:
                live.noted.add(mark)
                log.warning("report.assumed", endpoint=live.endpoint, mark=mark.value, path=str(record.path))


def write_event(  # noqa: PLR0917 - the fields of an event
    report: Report,
    records: list[TimedRecord],
    undecoded: str | None,
    event_id: str,
    source: str,
    part: int = 0,
    parts: int = 1,
) -> bytes:
    """The event as JSON; of any size."""
    received_at = utc(report.received_at)
    observation = report.observation
    data = {
        "registration_id": report.live.id,
        "trigger": report.trigger.value,
        "composite": report.composite,
        "event_type": report.event_type,
        "observation": None if observation is None else {"token": observation.token, "paths": observation.paths},
        "records": [
            {
                "path": str(record.path),
                "type": record.type.value,
                "value": wire_value(record.value),
                "time": received_at if record.anchored else utc(record.time),
                "anchored": record.anchored,
            }
            | ({"marks": record.marks} if record.marks else {})
            for record in records
        ],
        "content_format": report.content_format,
        "payload": base64.b64encode(report.payload).decode(),
        "undecoded": undecoded,
        "retry_of": None,
        "part": part,
        "parts": parts,
        "received_at": received_at,
    }
    event = {
        "specversion": "1.0",
        "id": event_id,
        "source": source,
        "subject": report.live.endpoint,
        "time": received_at,
        "datacontenttype": "application/json",
        "type": _TYPE,
        "data": data,
    }
    return orjson.dumps(event, option=orjson.OPT_UTC_Z)
