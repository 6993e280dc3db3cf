"""Messages of firmware updates as rows of `firmware_update` and its history. Pure."""

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
from flownexus_schemas.firmware.messages import FirmwareUpdateChanged, parse_firmware_event, what_of


class UpdateRow(NamedTuple):
    """A row of `firmware_update`."""

    id: str
    stream_sequence: int
    endpoint: str
    firmware_id: str
    name: str
    version: str
    rollout: str | None
    status: str
    state: int | None
    result: int | None
    size: int
    transferred: int
    retries: int
    installs: int
    version_before: str | None
    version_after: str | None
    waiting_for: str | None
    last_action: str
    requested_by: str | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    detail: str


class UpdateChangeRow(NamedTuple):
    """A row of `firmware_update_change`."""

    update_id: str
    stream_sequence: int
    time: datetime
    what: str
    status: str
    state: int | None
    result: int | None
    transferred: int
    action: str


UPDATE = kept_newest("firmware_update", ("id",), ("stream_sequence",), UpdateRow._fields[2:])
CHANGE = inserted_once("firmware_update_change", UpdateChangeRow._fields)


def project(messages: Sequence[Message]) -> Projected:
    """Each update as its last message has it, and every step."""
    projected = Projected()
    updates: dict[str, UpdateRow] = {}
    changes: list[UpdateChangeRow] = []
    for message in messages:
        try:
            endpoint, update_id = subjects.firmware_of_subject(message.subject)
            event = parse_firmware_event(message.payload)
            if (event.data.endpoint, event.data.id) != (endpoint, update_id):
                raise InvalidMessage(f"update {event.data.id} of {event.data.endpoint!r} on the subject of another")
        except (InvalidMessage, InvalidName) as error:
            projected.rejected.append(Rejected(message, f"{type(error).__name__}: {error}"))
            continue
        updates[event.data.id] = _update(event, message.sequence)
        changes.append(_change(event, message.sequence))
    columns = UPDATE.columns
    projected.rows = [
        (UPDATE, [[getattr(row, name) for name in columns] for row in updates.values()]),
        (CHANGE, changes),
    ]
    return projected


def _update(event: FirmwareUpdateChanged, sequence: int) -> UpdateRow:
    update = event.data
    return UpdateRow(
        id=update.id,
        stream_sequence=sequence,
        endpoint=text(update.endpoint),
        firmware_id=update.firmware,
        name=text(update.name),
        version=text(update.version),
        rollout=update.rollout,
        status=update.status,
        state=update.state,
        result=update.result,
        size=update.size,
        transferred=update.transferred,
        retries=update.retries,
        installs=update.installs,
        version_before=_text(update.version_before),
        version_after=_text(update.version_after),
        waiting_for=_text(update.waiting_for),
        last_action=text(update.last_action),
        requested_by=_text(update.requested_by),
        created_at=update.requested_at,
        updated_at=event.time,
        finished_at=update.finished_at,
        detail=json(update),
    )


def _change(event: FirmwareUpdateChanged, sequence: int) -> UpdateChangeRow:
    update = event.data
    return UpdateChangeRow(
        update_id=update.id,
        stream_sequence=sequence,
        time=event.time,
        what=what_of(event),
        status=update.status,
        state=update.state,
        result=update.result,
        transferred=update.transferred,
        action=text(update.last_action),
    )


def _text(given: str | None) -> str | None:
    return None if given is None else text(given)


FIRMWARE = Projection(
    subjects=subjects.ALL_FIRMWARE,
    stages=(UPDATE, CHANGE),
    forget=("update firmware_update set stream_sequence = 0 where stream_sequence <> 0",),
    project=project,
)
