"""Messages of desired values as rows of `desired_value`. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

import orjson

from flownexus_ingest.projected import Projected, Projection, text
from flownexus_ingest.rows import Rejected
from flownexus_ingest.staging import Stage, kept_newest
from flownexus_runtime.stream_message import Message
from flownexus_schemas import subjects
from flownexus_schemas.commands import JsonValue
from flownexus_schemas.desired.standing import DesiredResource, EndpointDesired, parse_desired_event
from flownexus_schemas.errors import InvalidMessage, InvalidName
from flownexus_schemas.tables.desired import NO_ATTRIBUTE


class DesiredRow(NamedTuple):
    """A row of `desired_value`."""

    endpoint: str
    path: str
    attribute: str
    stream_sequence: int
    type: str | None
    desired: str | None
    profile: str | None
    state: str
    since: datetime
    reported: str | None
    reported_at: datetime | None
    checked_at: datetime | None
    code: str | None
    reason: str | None


DESIRED = kept_newest("desired_value", DesiredRow._fields[:3], ("stream_sequence",), DesiredRow._fields[4:])
GONE = Stage(
    "desired_value",
    ("endpoint", "stream_sequence"),
    (
        "delete from desired_value using stage_desired_value_gone as newest "
        "where desired_value.endpoint = newest.endpoint and desired_value.stream_sequence < newest.stream_sequence",
    ),
    suffix="_gone",
)
"""A message has all that is desired of its endpoint: rows that it did not write are desired no more."""


def project(messages: Sequence[Message]) -> Projected:
    """Each endpoint as its last message has it."""
    projected = Projected()
    newest: dict[str, tuple[EndpointDesired, int]] = {}
    for message in messages:
        try:
            desired = parse_desired_event(message.payload).data
            if subjects.desired(desired.endpoint) != message.subject:
                raise InvalidMessage(f"desired values of {desired.endpoint!r} on the subject of another endpoint")
        except (InvalidMessage, InvalidName) as error:
            projected.rejected.append(Rejected(message, f"{type(error).__name__}: {error}"))
            continue
        newest[desired.endpoint] = (desired, message.sequence)
    rows = [_row(desired, one, sequence) for desired, sequence in newest.values() for one in desired.resources]
    projected.rows = [
        (DESIRED, rows),
        (GONE, [(text(endpoint), sequence) for endpoint, (_, sequence) in newest.items()]),
    ]
    return projected


def _row(desired: EndpointDesired, one: DesiredResource, sequence: int) -> DesiredRow:
    return DesiredRow(
        endpoint=text(desired.endpoint),
        path=one.path,
        attribute=one.attribute or NO_ATTRIBUTE,
        stream_sequence=sequence,
        type=one.type,
        desired=_json(one.desired),
        profile=one.profile,
        state=one.state,
        since=one.since,
        reported=_json(one.reported),
        reported_at=one.reported_at,
        checked_at=one.checked_at,
        code=None if one.code is None else text(one.code),
        reason=None if one.reason is None else text(one.reason),
    )


def _json(value: JsonValue | None) -> str | None:
    if value is None:
        return None
    return orjson.dumps(text(value) if isinstance(value, str) else value).decode()


DESIRED_VALUES = Projection(
    subjects=subjects.ALL_DESIRED,
    stages=(DESIRED, GONE),
    forget=("update desired_value set stream_sequence = 0 where stream_sequence <> 0",),
    project=project,
)
