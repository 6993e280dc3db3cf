"""What is known of devices that a rollout is for, and why some of them cannot be updated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.selection import objects_of
from flownexus_schemas.firmware.update import CLOSED, Method, Scheme
from flownexus_schemas.rollouts.device import IN_FLIGHT, DeviceStatus
from flownexus_schemas.rollouts.rollout import RolloutStatus

FIRMWARE_UPDATE = 5
_PROTOCOLS = {Scheme.COAP: 0, Scheme.COAPS: 1, Scheme.HTTP: 2, Scheme.HTTPS: 3}
_PULL_ONLY, _PUSH_ONLY = 0, 1

_KNOWN = """
select e.name, e.object_links, e.status, e.last_seen_at,
    (select value_text from latest_value v join resource_type t on t.id = v.resource_type_id
        where v.endpoint_id = e.id and t.object_id = 3 and t.resource_id = 3 and v.object_instance_id = 0
        limit 1) as running_version,
    (select value_text from latest_value v join resource_type t on t.id = v.resource_type_id
        where v.endpoint_id = e.id and t.object_id = 5 and t.resource_id = 7 and v.object_instance_id = 0
        limit 1) as package_version,
    (select value_integer from latest_value v join resource_type t on t.id = v.resource_type_id
        where v.endpoint_id = e.id and t.object_id = 5 and t.resource_id = 9 and v.object_instance_id = 0
        limit 1) as delivery,
    (select array_agg(value_integer) from latest_value v join resource_type t on t.id = v.resource_type_id
        where v.endpoint_id = e.id and t.object_id = 5 and t.resource_id = 8 and v.object_instance_id = 0
            and v.value_integer is not null) as protocols,
    (select u.id from firmware_update u where u.endpoint = e.name and not u.status = any(:closed) limit 1) as update,
    (select r.name from rollout_device d join rollout r on r.id = d.rollout_id
        where d.endpoint = e.name and d.status = any(:coming) and r.finished_at is null and r.status <> :stopped
            and r.id <> :but limit 1) as rollout
from endpoint_status e where e.name = any(:names)
"""

_REGISTRATIONS = """
select e.name, count(*) as registrations
from endpoint e join resource_type t on t.object_id = 10240 and t.resource_id = 0
    join resource r on r.endpoint_id = e.id and r.resource_type_id = t.id and r.object_instance_id = 0
where e.name = any(:names) and r.time > :since group by e.name
"""


@dataclass(frozen=True, slots=True)
class Known:
    """A device as the tables have it. `rollout`: one that is to update it; `update`: one that is under way."""

    endpoint: str
    links: Sequence[str]
    status: str
    last_seen_at: datetime | None = None
    running_version: str | None = None
    package_version: str | None = None
    delivery: int | None = None
    protocols: Sequence[int] | None = None
    update: str | None = None
    rollout: str | None = None
    tags: Sequence[str] = field(default=())

    @property
    def version(self) -> str | None:
        """What it runs, as the update itself decides it: 3/0/3, else 5/0/7."""
        return self.running_version or self.package_version


async def load_known(
    database: AsyncConnection, names: Sequence[str], tags: dict[str, Sequence[str]], but: str = ""
) -> dict[str, Known]:
    """By their names. `but`: a rollout that is not asked about."""
    values = {
        "names": list(names),
        "closed": [status.value for status in CLOSED],
        "coming": [status.value for status in (DeviceStatus.WAITING, *sorted(IN_FLIGHT))],
        "stopped": RolloutStatus.STOPPED.value,
        "but": but,
    }
    found = (await database.execute(text(_KNOWN), values)).all()
    return {
        row.name: Known(
            endpoint=row.name,
            links=row.object_links,
            status=row.status,
            last_seen_at=row.last_seen_at,
            running_version=row.running_version,
            package_version=row.package_version,
            delivery=row.delivery,
            protocols=row.protocols,
            update=row.update,
            rollout=row.rollout,
            tags=tags.get(row.name, ()),
        )
        for row in found
    }


async def count_registrations(
    database: AsyncConnection, names: Sequence[str], now: datetime, seconds: int
) -> dict[str, int]:
    """How often each registered anew in so many seconds before `now`; those that did not are not in it."""
    values = {"names": list(names), "since": now - timedelta(seconds=seconds)}
    return {row.name: row.registrations for row in await database.execute(text(_REGISTRATIONS), values)}


def why_not(known: Known, version: str, method: Method, scheme: Scheme) -> str | None:
    """Why a device is not to be updated to this version; None where it is. As a sentence."""
    if FIRMWARE_UPDATE not in objects_of(known.links):
        return "It lists no object 5 (Firmware Update)."
    if known.version == version:
        return f"It runs {version} already."
    if known.rollout is not None:
        return f"The rollout {known.rollout!r} is to update it."
    if method is Method.PULL and known.delivery == _PUSH_ONLY:
        return "It takes images by push alone (5/0/9 is 1)."
    if method is Method.PUSH and known.delivery == _PULL_ONLY:
        return "It takes images by pull alone (5/0/9 is 0)."
    fetches = method is not Method.PUSH and scheme in _PROTOCOLS and known.protocols is not None
    if fetches and _PROTOCOLS[scheme] not in (known.protocols or ()):
        return f"It does not fetch images by {scheme} (5/0/8)."
    return None


def notes_of(known: Known) -> list[str]:
    """What is worth knowing of a device that is to be updated."""
    notes = []
    if known.status == "offline":
        notes.append("It is offline: its update waits until it registers.")
    if known.update is not None:
        notes.append("Another update of it is under way: its own waits for the end of that.")
    if known.version is None:
        notes.append("It has not said which version it runs.")
    return notes
