"""A rollout taken back: which of its devices get which image. Makes nothing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.parts import Parts
from flownexus_api.rollout_candidates import Known, count_registrations, load_known, why_not
from flownexus_api.rollout_grouping import Candidate, grouped, mixed
from flownexus_api.rollout_plans import Asker, Planned, gathered, load_image, plan_of, rollout_of
from flownexus_api.rollout_requests import RollbackRequest
from flownexus_runtime.firmware_updates import load_update
from flownexus_schemas.errors import NotFound, Unavailable
from flownexus_schemas.rollouts.device import IN_FLIGHT, UPDATED, DeviceStatus, PlannedDevice
from flownexus_schemas.rollouts.rollout import RolloutImage
from flownexus_schemas.subjects import Stream

PATIENCE_S = 5.0
"""For the tables to have what the stream has."""

_POLL_S = 0.1

_DEVICES = """
select d.endpoint, d.status, d.version, d.version_before, d.update_id, coalesce(f.name, r.firmware_name) as name
from rollout_device d join rollout r on r.id = d.rollout_id left join firmware f on f.id = d.firmware_id
where d.rollout_id = :rollout and d.status = any(:reached) order by d.place
"""
_KEPT = "select id, name, version, size, sha256 from firmware where name = any(:names)"
_POSITION = "select sequence from stream_position where stream = :stream"


@dataclass(frozen=True, slots=True)
class _Reached:
    """A device that has the image of the rollout, or may come to have it. `name`: of that image."""

    endpoint: str
    status: DeviceStatus
    name: str | None
    version: str
    version_before: str | None


async def plan_rollback(parts: Parts, origin: str, asked: RollbackRequest, asker: Asker) -> Planned:
    """What would come of it, as the tables have the rollout now. Raises InvalidRequest, NotFound."""
    asked.check_start(asker.at)
    async with parts.engine.begin() as database:
        image = None if asked.firmware is None else await load_image(database, asked.firmware)
        rows = await _rows(database, origin)
    devices = [await _reached(parts, row) for row in rows]
    names = [device.endpoint for device in devices]
    tags = parts.bus.tags
    async with parts.engine.begin() as database:
        known = await load_known(database, names, {name: tags.of(name) for name in names}, origin)
        registrations = await count_registrations(database, names, asker.at, asked.watch.seconds)
        kept = {} if image is not None else await _kept(database, {device.name for device in devices})
    reasons: dict[str, str] = {}
    images: dict[str, RolloutImage] = {}
    for device in devices:
        found = _image(device, known.get(device.endpoint), image, kept, asked)
        if isinstance(found, str):
            reasons[device.endpoint] = found
        else:
            images[device.endpoint] = found
    able = mixed((Candidate(name, known[name].links, known[name].tags) for name in images), origin)
    groups = grouped(able, asked.groups)
    left_out = gathered(reasons)
    if not groups:
        return Planned(None, None, left_out, {})
    different = tuple({one.id: one for one in images.values()}.values())
    under_way = {device.endpoint for device in devices if device.status in IN_FLIGHT}
    planned = [
        [
            PlannedDevice(
                endpoint=one.endpoint,
                image=different.index(images[one.endpoint]),
                registrations=registrations.get(one.endpoint, 0),
                origin_under_way=one.endpoint in under_way,
            )
            for one in members
        ]
        for _, members in groups
    ]
    plan = plan_of(asker.rollout, different, planned, left_out)
    return Planned(rollout_of(asked, asker, image, groups, rollback_of=origin), plan, left_out, {})


async def tables_have(parts: Parts, sequence: int) -> None:
    """Wait until the tables have the stream up to here. Raises Unavailable."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        async with parts.engine.begin() as database:
            position = await database.scalar(text(_POSITION), {"stream": Stream.OPERATIONS.value})
        if position is not None and position >= sequence:
            return
        if time.monotonic() > deadline:
            raise Unavailable("The tables do not have all of the rollout yet; try again shortly.")
        await asyncio.sleep(_POLL_S)


async def _rows(database: AsyncConnection, origin: str) -> Sequence[Row[Any]]:
    """The devices that have its image, or may come to have it."""
    reached = sorted(status.value for status in UPDATED | IN_FLIGHT)
    return (await database.execute(text(_DEVICES), {"rollout": origin, "reached": reached})).all()


async def _reached(parts: Parts, row: Row[Any]) -> _Reached:
    """With the version that a device had before, which of one whose update is under way only the update says."""
    status, before = DeviceStatus(row.status), row.version_before
    if status in IN_FLIGHT and row.update_id is not None:
        with suppress(NotFound):
            update, _ = await load_update(parts.bus.jetstream(), row.update_id, row.endpoint)
            before = update.version_before
    return _Reached(row.endpoint, status, row.name, row.version, before)


async def _kept(database: AsyncConnection, names: set[str | None]) -> dict[tuple[str, str], RolloutImage]:
    """The images of these names, by name and version."""
    found = await database.execute(text(_KEPT), {"names": [name for name in names if name is not None]})
    images = [RolloutImage.model_validate(row, from_attributes=True) for row in found]
    return {(image.name, image.version): image for image in images}


def _image(
    device: _Reached,
    known: Known | None,
    image: RolloutImage | None,
    kept: Mapping[tuple[str, str], RolloutImage],
    asked: RollbackRequest,
) -> RolloutImage | str:
    """What the device gets, or why it gets nothing."""
    if known is None:
        return "It is not known any more."
    is_updated = device.status in UPDATED
    if is_updated and known.version is not None and known.version != device.version:
        return f"It runs {known.version} now, not {device.version}."
    before = device.version_before
    if image is None:
        if before is None:
            return "It is not known which version it had before, or its update did not get so far."
        image = kept.get((device.name or "", before))
        if image is None:
            return f"It had {before} before, of which no image is kept."
    reason = why_not(known, image.version, asked.method, asked.scheme) if is_updated else None
    return image if reason is None else reason
