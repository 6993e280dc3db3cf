"""Rollouts as they would be: which devices, in which groups, and which not. Makes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.parts import Parts
from flownexus_api.rollout_candidates import Known, count_registrations, load_known, notes_of, why_not
from flownexus_api.rollout_grouping import Candidate, grouped, mixed, sample
from flownexus_api.rollout_requests import GroupRequest, RolloutRequest, RolloutSettings
from flownexus_api.routers.firmware import unknown_firmware
from flownexus_api.selection import chosen
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.rollouts.device import LeftOut, PlannedDevice, RolloutPlan
from flownexus_schemas.rollouts.rollout import Rollout, RolloutGroup, RolloutImage, RolloutStatus
from flownexus_schemas.tables import Firmware

MAX_PLAN_BYTES = 900_000
"""Of a plan as JSON: it is one message, and NATS takes 1 MiB."""

Notes = Mapping[str, Sequence[str]]
"""Names of devices by what is worth knowing of them."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A rollout before it is made. `plan` is None where no device is to be updated."""

    rollout: Rollout | None
    plan: RolloutPlan | None
    left_out: tuple[LeftOut, ...]
    notes: Notes
    not_chosen: int = 0


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, when, and the id that the rollout gets."""

    rollout: str
    by: str
    at: datetime


async def plan_rollout(parts: Parts, asked: RolloutRequest, asker: Asker) -> Planned:
    """What would come of the request. Raises InvalidRequest, NotFound."""
    asked.check_start(asker.at)
    rows = await chosen(parts, asked.select)
    names = [row.name for row in rows]
    tags = _tags(parts, names, asked.groups)
    async with parts.engine.begin() as database:
        image = await load_image(database, asked.firmware)
        known = await load_known(database, names, tags)
        registrations = await count_registrations(database, names, asker.at, asked.watch.seconds)
    reasons = {name: why_not(one, image.version, asked.method, asked.scheme) for name, one in known.items()}
    able = mixed((_candidate(known[name]) for name in names if reasons[name] is None), asked.firmware)
    taken, others = sample(able, asked.percent)
    groups = grouped(taken, asked.groups)
    left_out = gathered({name: reason for name, reason in reasons.items() if reason is not None})
    notes = _notes(known[one.endpoint] for one in taken)
    if not groups:
        return Planned(None, None, left_out, notes)
    devices = [
        [PlannedDevice(endpoint=one.endpoint, registrations=registrations.get(one.endpoint, 0)) for one in members]
        for _, members in groups
    ]
    plan = plan_of(asker.rollout, (image,), devices, left_out)
    rollout = rollout_of(asked, asker, image, groups)
    return Planned(rollout, plan, left_out, notes, len(others))


async def load_image(database: AsyncConnection, firmware: str) -> RolloutImage:
    """Raises NotFound."""
    columns = (Firmware.id, Firmware.name, Firmware.version, Firmware.size, Firmware.sha256)
    row = (await database.execute(select(*columns).where(Firmware.id == firmware))).one_or_none()
    if row is None:
        raise unknown_firmware(firmware)
    return RolloutImage.model_validate(row, from_attributes=True)


def plan_of(
    rollout: str,
    images: tuple[RolloutImage, ...],
    groups: Sequence[Sequence[PlannedDevice]],
    left_out: tuple[LeftOut, ...],
) -> RolloutPlan:
    """Raises InvalidRequest where the plan is too large to be kept."""
    plan = RolloutPlan(rollout=rollout, images=images, groups=tuple(map(tuple, groups)), left_out=left_out)
    size = len(plan.model_dump_json().encode())
    if size > MAX_PLAN_BYTES:
        raise InvalidRequest(
            f"select: the names of these devices take {size} bytes, and a rollout at most {MAX_PLAN_BYTES}; "
            "make several rollouts of fewer devices."
        )
    return plan


def rollout_of(
    asked: RolloutSettings,
    asker: Asker,
    image: RolloutImage | None,
    groups: Sequence[tuple[GroupRequest, Sequence[Candidate]]],
    rollback_of: str | None = None,
) -> Rollout:
    """The rollout as it is when it is made."""
    paused = {"status": RolloutStatus.PAUSED, "last_action": "Requested, paused: it begins once it is resumed."}
    same = RolloutSettings.model_fields.keys() & Rollout.model_fields.keys()
    return Rollout(
        id=asker.rollout,
        image=image,
        groups=tuple(_group(group, len(members)) for group, members in groups),
        rollback_of=rollback_of,
        requested_at=asker.at,
        requested_by=asker.by,
        wish=asked.wish(),
        **{name: getattr(asked, name) for name in same},
        **(paused if asked.paused else {}),
    )


def gathered(reasons: Mapping[str, str]) -> tuple[LeftOut, ...]:
    """Devices by why they are left out."""
    names: dict[str, list[str]] = defaultdict(list)
    for name, reason in reasons.items():
        names[reason].append(name)
    return tuple(LeftOut(reason=reason, endpoints=tuple(sorted(names[reason]))) for reason in sorted(names))


def nothing_to_do(left_out: Sequence[LeftOut]) -> InvalidRequest:
    """The error of a rollout without devices, with why there are none."""
    why = "; ".join(f"{len(one.endpoints)}: {one.reason}" for one in left_out)
    return InvalidRequest(f"select: none of these devices is to be updated. {why}")


def _tags(parts: Parts, names: Sequence[str], groups: Sequence[GroupRequest]) -> dict[str, Sequence[str]]:
    if not any(group.select is not None and group.select.tags for group in groups):
        return {}
    tags = parts.bus.loaded_tags()
    return {name: tags.of(name) for name in names}


def _candidate(known: Known) -> Candidate:
    return Candidate(known.endpoint, known.links, known.tags)


def _group(group: GroupRequest, size: int) -> RolloutGroup:
    return RolloutGroup(
        size=size,
        succeeded_percent=group.succeeded_percent,
        failed_percent=group.failed_percent,
        then=group.then,
    )


def _notes(known: Iterable[Known]) -> Notes:
    notes: dict[str, list[str]] = defaultdict(list)
    for one in known:
        for note in notes_of(one):
            notes[note].append(one.endpoint)
    return notes
