"""Rollouts as the API shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field
from sqlalchemy import Row

from flownexus_api.rollout_plans import Planned
from flownexus_schemas.firmware.update import Method, Scheme
from flownexus_schemas.firmware.window import Install
from flownexus_schemas.rollouts.device import DeviceStatus, LeftOut
from flownexus_schemas.rollouts.rollout import AfterGroup, OnHalt, RolloutStatus, Watch
from flownexus_schemas.rollouts.rollout import Rollout as State
from flownexus_schemas.rollouts.thresholds import Tally

Tallies = Mapping[int, Tally]
"""By the number of the group, the first is 1; 0 has the devices that are left out."""

_SETTINGS = ("in_flight", "method", "scheme", "install", "watch", "on_halt", "give_up_after_s", "accepted_until")
_ASKED = ("id", "name", "rollback_of", "requested_at", "requested_by", "starts_at")
_STANDS = ("status", "finished_at", "last_action")


class RolloutFirmware(BaseModel):
    """The image that all devices get."""

    id: str
    name: str
    version: str


class Rollout(BaseModel):
    """An image to many devices, as it stands.

    RUNNING: it goes on. PAUSED: somebody, or the plan, had it wait. HALTED: it stopped by itself, `last_action` says
    why. STOPPED: somebody ended it. FINISHED: every device came to its end.
    """

    id: str
    name: str
    status: RolloutStatus
    firmware: RolloutFirmware | None = Field(description="Null where devices get back what they had, each its own.")
    devices: int = Field(description="Without those that are left out.")
    by_status: dict[DeviceStatus, int]
    rollback_of: str | None = Field(description="The rollout that this one takes back.")
    requested_at: datetime
    requested_by: str | None
    starts_at: datetime | None
    finished_at: datetime | None
    last_action: str = Field(description="What happened last, as a sentence.")


class RolloutGroup(BaseModel):
    """A group of devices. Percents are of `counted` devices."""

    number: int
    size: int
    status: Literal["waiting", "begun", "through", "over"] = Field(
        description="`through`: enough succeeded for the next one; `over`: every device came to its end."
    )
    by_status: dict[DeviceStatus, int]
    succeeded_percent: float
    failed_percent: float
    then: AfterGroup
    begun_at: datetime | None
    counted: int = Field(description="Devices that are neither cancelled, left out nor set aside by a resume.")
    needed: int = Field(description="So many must succeed before the next group begins.")
    succeeded: int
    failed: int = Field(description="Failed, quiet and rebooting ones that count.")


class RolloutStep(BaseModel):
    """Something that happened to a rollout."""

    time: datetime
    status: RolloutStatus
    action: str


class RolloutDetail(Rollout):
    """A rollout with its groups, its settings and what happened to it; no history while it is newer than the tables."""

    groups: list[RolloutGroup]
    in_flight: int
    method: Method
    scheme: Scheme
    install: Install
    watch: Watch
    on_halt: OnHalt
    give_up_after_s: int | None
    accepted_until: datetime | None = Field(description="Devices that failed up to then are set aside.")
    rolled_back_by: str | None = Field(default=None, description="The newest rollout that takes this one back.")
    history: list[RolloutStep]


class PlannedGroup(BaseModel):
    """A group as it would be, its devices in the order in which they are updated."""

    number: int
    size: int
    needed: int = Field(description="So many must succeed before the next group begins.")
    may_fail: int = Field(description="So many may fail; one more halts the rollout.")
    then: AfterGroup
    endpoints: list[str]


class LeftOutDevices(BaseModel):
    """Devices that are selected and not updated."""

    reason: str
    endpoints: list[str]


class DeviceNote(BaseModel):
    """What is worth knowing of devices that are to be updated."""

    note: str
    endpoints: list[str]


class MadeRollout(BaseModel):
    """What a rollout does, device for device. `rollout` is null where it was only asked what would be done."""

    rollout: RolloutDetail | None
    devices: int
    groups: list[PlannedGroup]
    left_out: list[LeftOutDevices]
    notes: list[DeviceNote]
    not_chosen: int = Field(description="Devices that could be updated and are not of the `percent`.")


def tallies_of(rows: list[Row[Any]]) -> Tallies:
    """From rows of group_number, status, devices and set_aside."""
    by_status: dict[int, Counter[DeviceStatus]] = {}
    set_aside: Counter[int] = Counter()
    for row in rows:
        by_status.setdefault(row.group_number, Counter())[DeviceStatus(row.status)] += row.devices
        set_aside[row.group_number] += row.set_aside
    return {number: Tally(counted, set_aside[number]) for number, counted in by_status.items()}


def new_tallies(state: State) -> Tallies:
    """Of a rollout to whose devices nothing happened."""
    return {number: Tally(Counter({DeviceStatus.WAITING: group.size})) for number, group in enumerate(state.groups, 1)}


def shown(state: State, tallies: Tallies) -> dict[str, Any]:
    """The fields of a Rollout."""
    counted: Counter[DeviceStatus] = Counter()
    for tally in tallies.values():
        counted.update(tally.by_status)
    image = state.image
    return {
        **{name: getattr(state, name) for name in (*_ASKED, *_STANDS)},
        "firmware": None if image is None else RolloutFirmware(id=image.id, name=image.name, version=image.version),
        "devices": sum(group.size for group in state.groups),
        "by_status": _sorted(counted),
    }


def shown_in_detail(
    state: State, tallies: Tallies, history: list[RolloutStep], rolled_back_by: str | None = None
) -> RolloutDetail:
    """A rollout with all that belongs to it."""
    return RolloutDetail(
        **shown(state, tallies),
        **{name: getattr(state, name) for name in _SETTINGS},
        groups=_groups(state, tallies),
        rolled_back_by=rolled_back_by,
        history=history,
    )


def made(planned: Planned, detail: RolloutDetail | None) -> MadeRollout:
    """The answer to a request for a rollout."""
    rollout, plan = planned.rollout, planned.plan
    groups = [] if rollout is None else list(zip(rollout.groups, plan.groups if plan else (), strict=True))
    return MadeRollout(
        rollout=detail,
        devices=sum(len(devices) for _, devices in groups),
        groups=[
            PlannedGroup(
                number=number,
                size=group.size,
                needed=Tally(Counter({DeviceStatus.WAITING: group.size})).needed(group),
                may_fail=int(group.failed_percent * group.size / 100 + 1e-9),
                then=group.then,
                endpoints=[device.endpoint for device in devices],
            )
            for number, (group, devices) in enumerate(groups, 1)
        ],
        left_out=[left_out_of(one) for one in planned.left_out],
        notes=[DeviceNote(note=note, endpoints=list(names)) for note, names in planned.notes.items()],
        not_chosen=planned.not_chosen,
    )


def left_out_of(left_out: LeftOut) -> LeftOutDevices:
    return LeftOutDevices(reason=left_out.reason, endpoints=list(left_out.endpoints))


def _groups(state: State, tallies: Tallies) -> list[RolloutGroup]:
    found = []
    for number, group in enumerate(state.groups, 1):
        tally = tallies.get(number, Tally(Counter()))
        found.append(
            RolloutGroup(
                number=number,
                size=group.size,
                status=_status(group.begun_at is not None, tally.open == 0, tally.is_through(group)),
                by_status=_sorted(tally.by_status),
                succeeded_percent=group.succeeded_percent,
                failed_percent=group.failed_percent,
                then=group.then,
                begun_at=group.begun_at,
                counted=tally.base,
                needed=tally.needed(group),
                succeeded=tally.succeeded,
                failed=tally.bad,
            )
        )
    return found


def _status(begun: bool, over: bool, through: bool) -> Literal["waiting", "begun", "through", "over"]:
    if not begun:
        return "waiting"
    if over:
        return "over"
    return "through" if through else "begun"


def _sorted(counted: Counter[DeviceStatus]) -> dict[DeviceStatus, int]:
    return {status: counted[status] for status in DeviceStatus if counted[status]}
