"""A report as the events that carry it: one, or several where its values are more than a message of NATS holds."""

from __future__ import annotations

from collections.abc import Callable

from flownexus_gateway.uplink.report import Report, write_event
from flownexus_schemas.lwm2m.timestamps import TimedRecord
from flownexus_schemas.reported_values import wire_value

MAX_EVENT_BYTES = 900_000
"""A report above this is published in parts; NATS takes 1 MiB with the headers."""

MAX_RECORDS_BYTES, MAX_PAYLOAD_BYTES = 500_000, 250_000
"""What a part has of values, about; and what the first has of the payload beside them, or nothing of it."""

MAX_MESSAGE_BYTES = 1_030_000
"""What is published at all."""

_RECORD_BYTES = 160
"""A record without its path and value, at most."""


def write_events(
    report: Report, records: list[TimedRecord], undecoded: str | None, event_id: str, source: str
) -> list[tuple[str, bytes]]:
    """Id and JSON of each event. The same payload gives the same parts, whenever it comes again.

    What even a message of its own does not hold is not kept, and the report says so.
    """
    whole = write_event(report, records, undecoded, event_id, source)
    if len(whole) <= MAX_EVENT_BYTES:
        return [(event_id, whole)]
    events = [(event_id, whole)]
    if records:
        first = report if len(report.payload) <= MAX_PAYLOAD_BYTES else report._replace(payload=b"")
        others = report._replace(payload=b"")
        parts = _parts(records)
        ids = [event_id if len(parts) == 1 else f"{event_id}-{number}" for number in range(len(parts))]
        events = [
            (ids[number], write_event(others if number else first, part, None, ids[number], source, number, len(parts)))
            for number, part in enumerate(parts)
        ]
    if all(len(event) <= MAX_MESSAGE_BYTES for _, event in events):
        return events
    reason = f"its {len(report.payload)} bytes are more than one message holds, and are not kept"
    return [(event_id, write_event(report._replace(payload=b""), [], reason, event_id, source))]


def all_of(count: int, kept: Callable[[bool], None]) -> Callable[[bool], None]:
    """To be told of `count` events; tells `kept` once: True when all of them are, False at the first that is not."""
    left = count

    def told(is_kept: bool) -> None:
        nonlocal left
        if left <= 0:
            return
        left = left - 1 if is_kept else 0
        if left == 0:
            kept(is_kept)

    return told


def _parts(records: list[TimedRecord]) -> list[list[TimedRecord]]:
    # By path and value alone: the times are written differently when the payload comes again.
    parts: list[list[TimedRecord]] = [[]]
    size = 0
    for record in records:
        value = wire_value(record.value)
        length = _RECORD_BYTES + len(str(record.path)) + (len(value.encode()) if isinstance(value, str) else 20)
        if parts[-1] and size + length > MAX_RECORDS_BYTES:
            parts.append([])
            size = 0
        parts[-1].append(record)
        size += length
    return parts
