"""Messages of rollouts as rows of `rollout`, `rollout_device` and their history. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from flownexus_ingest.projected import Projected, Projection, json, text
from flownexus_ingest.rows import Rejected
from flownexus_ingest.staging import inserted_once, kept_newest
from flownexus_runtime.stream_message import Message
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, InvalidName
from flownexus_schemas.rollouts.device import DeviceStatus, RolloutDevice, RolloutPlan, planned
from flownexus_schemas.rollouts.messages import (
    AnyRolloutEvent,
    RolloutChanged,
    RolloutDeviceChanged,
    RolloutPlanned,
    parse_rollout_event,
)
from flownexus_schemas.rollouts.rollout import Rollout

LEFT_OUT_GROUP = 0
"""`group_number` of a device that is in no group."""


class RolloutRow(NamedTuple):
    """A row of `rollout`."""

    id: str
    stream_sequence: int
    name: str
    status: str
    firmware_id: str | None
    firmware_name: str | None
    version: str | None
    state: str
    rollback_of: str | None
    created_at: datetime
    requested_by: str | None
    finished_at: datetime | None
    last_action: str


class DeviceRow(NamedTuple):
    """A row of `rollout_device`, but for its place in the plan."""

    rollout_id: str
    endpoint: str
    stream_sequence: int
    group_number: int
    status: str
    firmware_id: str | None
    version: str | None
    attempt: int
    update_id: str | None
    begun_at: datetime | None
    updated_at: datetime | None
    ended_at: datetime | None
    version_before: str | None
    last_action: str


class PlannedRow(NamedTuple):
    """A row of `rollout_device` as it is planned; `place` counts through all groups."""

    place: int
    device: DeviceRow


class ChangeRow(NamedTuple):
    """A row of `rollout_change`; `endpoint` is null where it is the rollout itself that changed."""

    rollout_id: str
    stream_sequence: int
    time: datetime
    endpoint: str | None
    status: str
    action: str


ROLLOUT = kept_newest("rollout", ("id",), ("stream_sequence",), RolloutRow._fields[2:])
PLANNED = inserted_once("rollout_device", (*DeviceRow._fields, "place"), suffix="_planned")
DEVICE = kept_newest("rollout_device", ("rollout_id", "endpoint"), ("stream_sequence",), DeviceRow._fields[3:])
CHANGE = inserted_once("rollout_change", ChangeRow._fields)


def project(messages: Sequence[Message]) -> Projected:
    """Each rollout and device as its last message has it, every device as it was planned, and every step."""
    projected = Projected()
    rollouts: dict[str, RolloutRow] = {}
    planned_rows: list[tuple[object, ...]] = []
    devices: dict[tuple[str, str], DeviceRow] = {}
    changes: list[ChangeRow] = []
    for message in messages:
        try:
            event = parse_rollout_event(message.payload)
            if message.subject != _subject(event):
                raise InvalidMessage(f"a message of rollout {_rollout_id(event)} on the subject of another")
        except (InvalidMessage, InvalidName) as error:
            projected.rejected.append(Rejected(message, f"{type(error).__name__}: {error}"))
            continue
        sequence = message.sequence
        match event:
            case RolloutPlanned(data=plan):
                planned_rows.extend((*row.device, row.place) for row in _planned(plan, sequence))
            case RolloutChanged(data=rollout, time=time):
                rollouts[rollout.id] = _rollout(rollout, sequence)
                changes.append(ChangeRow(rollout.id, sequence, time, None, rollout.status, text(rollout.last_action)))
            case RolloutDeviceChanged(data=device, time=time):
                row = _device(device, sequence)
                devices[row.rollout_id, row.endpoint] = row
                changes.append(ChangeRow(row.rollout_id, sequence, time, row.endpoint, row.status, row.last_action))
    projected.rows = [
        (ROLLOUT, list(rollouts.values())),
        (PLANNED, planned_rows),
        (DEVICE, list(devices.values())),
        (CHANGE, changes),
    ]
    return projected


def _subject(event: AnyRolloutEvent) -> str:
    match event:
        case RolloutPlanned(data=plan):
            return subjects.rollout_plan(plan.rollout)
        case RolloutChanged(data=rollout):
            return subjects.rollout(rollout.id)
        case RolloutDeviceChanged(data=device):
            return subjects.rollout_device(device.rollout, device.endpoint)


def _rollout_id(event: AnyRolloutEvent) -> str:
    return event.data.id if isinstance(event, RolloutChanged) else event.data.rollout


def _rollout(rollout: Rollout, sequence: int) -> RolloutRow:
    image = rollout.image
    return RolloutRow(
        id=rollout.id,
        stream_sequence=sequence,
        name=text(rollout.name),
        status=rollout.status,
        firmware_id=None if image is None else image.id,
        firmware_name=None if image is None else text(image.name),
        version=None if image is None else text(image.version),
        state=json(rollout),
        rollback_of=rollout.rollback_of,
        created_at=rollout.requested_at,
        requested_by=rollout.requested_by,
        finished_at=rollout.finished_at,
        last_action=text(rollout.last_action),
    )


def _device(device: RolloutDevice, sequence: int) -> DeviceRow:
    return DeviceRow(
        rollout_id=device.rollout,
        endpoint=text(device.endpoint),
        stream_sequence=sequence,
        group_number=device.group,
        status=device.status,
        firmware_id=device.image.id,
        version=text(device.image.version),
        attempt=device.attempt,
        update_id=device.update,
        begun_at=device.begun_at,
        updated_at=device.updated_at,
        ended_at=device.ended_at,
        version_before=None if device.version_before is None else text(device.version_before),
        last_action=text(device.last_action),
    )


def _planned(plan: RolloutPlan, sequence: int) -> Iterator[PlannedRow]:
    place = 0
    for place, device in enumerate(planned(plan).values(), 1):
        yield PlannedRow(place, _device(device, sequence))
    for left_out in plan.left_out:
        for endpoint in left_out.endpoints:
            place += 1
            yield PlannedRow(place, _left_out(plan.rollout, endpoint, left_out.reason, sequence))


def _left_out(rollout: str, endpoint: str, reason: str, sequence: int) -> DeviceRow:
    return DeviceRow(
        rollout_id=rollout,
        endpoint=text(endpoint),
        stream_sequence=sequence,
        group_number=LEFT_OUT_GROUP,
        status=DeviceStatus.LEFT_OUT,
        firmware_id=None,
        version=None,
        attempt=0,
        update_id=None,
        begun_at=None,
        updated_at=None,
        ended_at=None,
        version_before=None,
        last_action=text(reason),
    )


ROLLOUTS = Projection(
    subjects=subjects.ALL_ROLLOUTS,
    stages=(ROLLOUT, PLANNED, DEVICE, CHANGE),
    forget=(
        "update rollout set stream_sequence = 0 where stream_sequence <> 0",
        "update rollout_device set stream_sequence = 0 where stream_sequence <> 0",
    ),
    project=project,
)
