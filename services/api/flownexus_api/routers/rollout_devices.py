"""The devices of a rollout, and the report of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Row, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.access import Viewer
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName
from flownexus_api.paging import Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database
from flownexus_api.rollout_messages import unknown_rollout
from flownexus_api.rollout_tables import history, rolled_back_by, tallies
from flownexus_api.rollout_views import RolloutDetail, shown_in_detail
from flownexus_api.routers.rollouts import RolloutId
from flownexus_schemas.errors import NotFound
from flownexus_schemas.rollouts.device import BAD, DeviceStatus
from flownexus_schemas.rollouts.rollout import Rollout as State
from flownexus_schemas.tables import Rollout as Kept
from flownexus_schemas.tables import RolloutChange as Change

router = APIRouter(prefix="/rollouts", tags=["rollouts"])

_DEVICES = """
select d.endpoint, d.place, nullif(d.group_number, 0) as group_number, d.status, d.firmware_id, d.version,
    d.version_before, d.attempt, d.begun_at, d.updated_at, d.ended_at, d.last_action, d.update_id,
    u.status as update_status, u.waiting_for
from rollout_device d left join firmware_update u on u.id = d.update_id
where d.rollout_id = :rollout and (cast(:statuses as text[]) is null or d.status = any(cast(:statuses as text[])))
    and (cast(:number as integer) is null or d.group_number = :number)
    and (cast(:endpoint as text) is null or d.endpoint = :endpoint) and d.place > :place
order by d.place limit :limit
"""
_REASONS = """
select last_action as reason, count(*) as devices, (array_agg(endpoint order by place))[1:20] as endpoints
from rollout_device where rollout_id = :rollout and status = any(:statuses)
group by last_action order by count(*) desc, last_action
"""
_DURATIONS = """
select count(*) as devices, percentile_cont(0.5) within group (order by took) as median_s,
    percentile_cont(0.95) within group (order by took) as most_s, max(took) as longest_s
from (select extract(epoch from updated_at - begun_at)::double precision as took from rollout_device
    where rollout_id = :rollout and updated_at is not null and begun_at is not null) as updated
"""
_SPAN = "select min(begun_at) as first_at, max(ended_at) as last_at from rollout_device where rollout_id = :rollout"


class RolloutDevice(BaseModel):
    """A device of a rollout.

    WAITING: its update is not asked for. UPDATING: it is under way. RECALLED: it is being taken back. WATCHED: updated,
    and looked after. SUCCEEDED, FAILED, CANCELLED: so it ended. QUIET: updated, and not heard any more. REBOOTING:
    updated, and registers more often than before. LEFT_OUT: it is not to be updated.
    """

    endpoint: str
    group: int | None = Field(description="Null where it is left out.")
    status: DeviceStatus
    firmware: str | None
    version: str | None
    version_before: str | None
    attempt: int = Field(description="How often its update was asked for.")
    begun_at: datetime | None
    updated_at: datetime | None
    ended_at: datetime | None
    last_action: str
    update: str | None = Field(description="Id of its update.")
    update_status: str | None
    waiting_for: str | None = Field(description="What its update waits for, as words.")


class RolloutDevices(Page[RolloutDevice]):
    """A page of devices, in the order in which they are updated."""


class DeviceStep(BaseModel):
    """Something that happened to a device of a rollout."""

    time: datetime
    status: DeviceStatus
    action: str


class RolloutDeviceDetail(RolloutDevice):
    """A device of a rollout with all that happened to it, the oldest first."""

    history: list[DeviceStep]


class ReportedReason(BaseModel):
    """Devices that something holds for: how many, and the first of them."""

    reason: str
    devices: int
    endpoints: list[str]


class UpdateDurations(BaseModel):
    """Seconds from the request of an update to its success."""

    devices: int
    median_s: float
    most_s: float = Field(description="95 of 100 took at most so long.")
    longest_s: float


class RolloutReport(BaseModel):
    """How a rollout went."""

    rollout: RolloutDetail
    succeeded: int
    failed: int = Field(description="Failed, quiet and rebooting ones.")
    cancelled: int
    not_begun: int
    under_way: int = Field(description="Updating, being taken back, or watched.")
    first_update_at: datetime | None
    last_change_at: datetime | None
    durations: UpdateDurations | None
    failures: list[ReportedReason]
    left_out: list[ReportedReason]


@router.get("/{rollout}/devices", responses=answers(401, 404, 422, 503))
async def list_rollout_devices(
    *,
    _: Viewer,
    database: Database,
    rollout: RolloutId,
    status: Annotated[list[DeviceStatus] | None, Query(description="Only these; repeat it for several.")] = None,
    group: Annotated[int | None, Query(ge=1, description="Only of this group; the first is 1.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> RolloutDevices:
    """The devices of a rollout, in the order in which they are updated; those that are left out last."""
    await _state(database, rollout)
    (place,) = keys_of(cursor, "rollout-device", (int,)) if cursor else (0,)
    values = {
        "rollout": rollout,
        "statuses": [one.value for one in status] if status else None,
        "number": group,
        "endpoint": None,
        "place": place,
        "limit": limit + 1,
    }
    rows, more = page_of((await database.execute(text(_DEVICES), values)).all(), limit)
    following = cursor_of("rollout-device", rows[-1].place) if more else None
    return RolloutDevices(items=[RolloutDevice(**_fields(row)) for row in rows], next=following)


@router.get("/{rollout}/devices/{endpoint}", responses=answers(401, 404, 422, 503))
async def get_rollout_device(
    *, _: Viewer, database: Database, rollout: RolloutId, name: EndpointName
) -> RolloutDeviceDetail:
    """One device of a rollout, with all that happened to it."""
    values = {"rollout": rollout, "statuses": None, "number": None, "endpoint": name, "place": 0, "limit": 1}
    row = None if "\0" in name else (await database.execute(text(_DEVICES), values)).one_or_none()
    if row is None:
        raise NotFound(f"Rollout {rollout!r} has no device {name!r}.")
    changes = await database.execute(
        select(Change.time, Change.status, Change.action)
        .where(Change.rollout_id == rollout, Change.endpoint == name)
        .order_by(Change.stream_sequence)
    )
    steps = [DeviceStep.model_validate(change, from_attributes=True) for change in changes]
    return RolloutDeviceDetail(**_fields(row), history=steps)


@router.get("/{rollout}/report", responses=answers(401, 404, 422, 503))
async def get_rollout_report(*, _: Viewer, database: Database, rollout: RolloutId) -> RolloutReport:
    """How a rollout went, or goes: what came of its devices, how long updates took, and why some failed."""
    state = await _state(database, rollout)
    counted = (await tallies(database, [rollout]))[rollout]
    detail = shown_in_detail(state, counted, await history(database, rollout), await rolled_back_by(database, rollout))
    by_status = detail.by_status
    span = (await database.execute(text(_SPAN), {"rollout": rollout})).one()
    took = (await database.execute(text(_DURATIONS), {"rollout": rollout})).one()
    return RolloutReport(
        rollout=detail,
        succeeded=by_status.get(DeviceStatus.SUCCEEDED, 0),
        failed=sum(by_status.get(status, 0) for status in BAD),
        cancelled=by_status.get(DeviceStatus.CANCELLED, 0),
        not_begun=by_status.get(DeviceStatus.WAITING, 0),
        under_way=sum(by_status.get(one, 0) for one in _UNDER_WAY),
        first_update_at=span.first_at,
        last_change_at=span.last_at,
        durations=None if not took.devices else UpdateDurations.model_validate(took, from_attributes=True),
        failures=await _reasons(database, rollout, sorted(BAD)),
        left_out=await _reasons(database, rollout, [DeviceStatus.LEFT_OUT]),
    )


_UNDER_WAY = (DeviceStatus.UPDATING, DeviceStatus.RECALLED, DeviceStatus.WATCHED)


async def _state(database: AsyncConnection, rollout: str) -> State:
    state = await database.scalar(select(Kept.state).where(Kept.id == rollout))
    if state is None:
        raise unknown_rollout(rollout)
    return State.model_validate(state)


async def _reasons(database: AsyncConnection, rollout: str, statuses: list[DeviceStatus]) -> list[ReportedReason]:
    values = {"rollout": rollout, "statuses": [status.value for status in statuses]}
    found = await database.execute(text(_REASONS), values)
    return [ReportedReason.model_validate(row, from_attributes=True) for row in found]


def _fields(row: Row[Any]) -> dict[str, Any]:
    return {**row._mapping, "group": row.group_number, "firmware": row.firmware_id, "update": row.update_id}
