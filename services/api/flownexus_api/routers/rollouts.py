"""Rollouts: an image to many devices, group after group, halted where it goes wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request, Response
from sqlalchemy import select, tuple_

from flownexus_api.access import FirmwareOperator, Viewer
from flownexus_api.audit import add_outcome, write_down
from flownexus_api.documented import answers
from flownexus_api.event_stream import EventStream, LastEventId, Place, event_stream
from flownexus_api.following import Followed, start_position
from flownexus_api.operation_requests import IdempotencyKey, name_of_operation
from flownexus_api.paging import Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, PartsDep
from flownexus_api.rollout_examples import ROLLOUT_STREAM
from flownexus_api.rollout_messages import asked_before, load, load_plan, make
from flownexus_api.rollout_plans import Asker, Planned, nothing_to_do, plan_rollout
from flownexus_api.rollout_requests import RolloutRequest
from flownexus_api.rollout_tables import history, rolled_back_by, tallies
from flownexus_api.rollout_views import MadeRollout, Rollout, RolloutDetail, made, new_tallies, shown, shown_in_detail
from flownexus_schemas import subjects
from flownexus_schemas.errors import FlowNexusError, InvalidMessage
from flownexus_schemas.rollouts.messages import RolloutPlanned, parse_rollout_event
from flownexus_schemas.rollouts.rollout import Rollout as State
from flownexus_schemas.rollouts.rollout import RolloutStatus
from flownexus_schemas.subjects import Stream
from flownexus_schemas.tables import Rollout as Kept

router = APIRouter(prefix="/rollouts", tags=["rollouts"])

MAX_BODY = 4 * 1024 * 1024
ID = r"^[0-9A-Za-z_-]{1,64}$"
KEY = (Kept.created_at, Kept.id)

RolloutId = Annotated[str, Path(pattern=ID, description="As the answer to the request had it.")]


class Rollouts(Page[Rollout]):
    """A page of rollouts, the newest first."""


@router.post(
    "", status_code=HTTPStatus.ACCEPTED, responses=answers(401, 403, 404, 413, 422, 503), max_body_size=MAX_BODY
)
async def request_rollout(
    *,
    who: FirmwareOperator,
    parts: PartsDep,
    asked: Annotated[RolloutRequest, Body()],
    http: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> MadeRollout:
    """Have an image brought to many devices. For operators.

    With `dry_run` it is said what would be done, device for device, and nothing is made: 200 in place of 202. Devices
    are fixed then and there: one that registers later, or is tagged later, is not of it.
    """
    asker = Asker(name_of_operation(who, idempotency_key, "rollout"), who.name, datetime.now(UTC))
    if idempotency_key is not None and not asked.dry_run:
        known = await asked_before(parts.bus, asker.rollout, asked.wish())
        if known is not None:
            plan = await load_plan(parts.bus, known.id)
            before = Planned(known, plan, plan.left_out, {})
            return made(before, shown_in_detail(known, new_tallies(known), []))
    planned = await plan_rollout(parts, asked, asker)
    if asked.dry_run:
        response.status_code = HTTPStatus.OK
        return made(planned, None)
    if planned.rollout is None or planned.plan is None:
        raise nothing_to_do(planned.left_out)
    details: dict[str, object] = {
        "name": asked.name,
        "firmware": asked.firmware,
        "devices": sum(group.size for group in planned.rollout.groups),
    }
    entry = await write_down(parts, who, "rollout.requested", asker.rollout, http, details=details)
    try:
        rollout = await make(parts.bus, planned.rollout, planned.plan)
    except FlowNexusError as error:
        await add_outcome(parts, entry, {"error": str(error)})
        raise
    return made(planned, shown_in_detail(rollout, new_tallies(rollout), []))


@router.get("", responses=answers(401, 422, 503))
async def list_rollouts(
    *,
    _: Viewer,
    database: Database,
    status: Annotated[list[RolloutStatus] | None, Query(description="Only these; repeat it for several.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Rollouts:
    """The rollouts and how they stand, the newest first."""
    query = select(Kept.id, Kept.created_at, Kept.state).order_by(*(column.desc() for column in KEY)).limit(limit + 1)
    if status:
        query = query.where(Kept.status.in_([one.value for one in status]))
    if cursor:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "-rollout", (datetime, str))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    counted = await tallies(database, [row.id for row in rows])
    following = cursor_of("-rollout", rows[-1].created_at, rows[-1].id) if more else None
    items = [Rollout(**shown(State.model_validate(row.state), counted[row.id])) for row in rows]
    return Rollouts(items=items, next=following)


def _filters(
    rollout: Annotated[str | None, Query(description="Only this one, with its devices.", pattern=ID)] = None,
) -> list[str]:
    return [subjects.ROLLOUT_STATES if rollout is None else subjects.all_of_rollout(rollout)]


async def _start(_: Viewer, parts: PartsDep, last_event_id: LastEventId = None) -> int:
    return await start_position(parts.bus, last_event_id, Stream.OPERATIONS)


# Before the route of one rollout, whose id it would be.
@router.get(
    "/stream",
    response_class=EventStream,
    responses=answers(401, 422, 503) | {200: {"content": {"text/event-stream": {"example": ROLLOUT_STREAM}}}},
)
async def get_rollout_stream(
    parts: PartsDep,
    filters: Annotated[list[str], Depends(_filters)],
    after: Annotated[int, Depends(_start)],
    ends_at: Place,
) -> EventStream:
    """What happens to rollouts from now on, as `GET /stream` has it of devices; of one rollout also its devices.

    `event` is `requested`, `group-begun`, `paused`, `resumed`, `halted`, `stopped`, `settled` or `finished`; of a
    device `device-begun`, `device-updated`, `device-succeeded`, `device-failed` and so on. `data` is the CloudEvent
    with the rollout or the device as it is then.
    """
    return event_stream(parts, Stream.OPERATIONS, filters, _name_of, after=after, ends_at=ends_at)


@router.get("/{rollout}", responses=answers(401, 404, 422, 503))
async def get_rollout(*, _: Viewer, parts: PartsDep, database: Database, rollout: RolloutId) -> RolloutDetail:
    """One rollout with its groups and what happened to it."""
    state = await database.scalar(select(Kept.state).where(Kept.id == rollout))
    if state is None:
        known, _sequence = await load(parts.bus, rollout)
        return shown_in_detail(known, new_tallies(known), [])
    counted = await tallies(database, [rollout])
    return shown_in_detail(
        State.model_validate(state),
        counted[rollout],
        await history(database, rollout),
        await rolled_back_by(database, rollout),
    )


def _name_of(followed: Followed) -> str | None:
    try:
        event = parse_rollout_event(followed.payload)
    except InvalidMessage:
        return None  # ingest sets it aside, with the reason
    if isinstance(event, RolloutPlanned):
        return None
    *_, kind, what, _version = event.type.split(".")
    return what if kind == "rollout" else f"device-{what}"
