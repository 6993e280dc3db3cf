"""Rollouts paused, resumed, stopped, hurried on and taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Request, Response

from flownexus_api.access import FirmwareOperator, Person
from flownexus_api.audit import add_outcome, write_down
from flownexus_api.documented import answers
from flownexus_api.operation_requests import IdempotencyKey, name_of_operation
from flownexus_api.parts import Parts, PartsDep
from flownexus_api.rollback_plans import plan_rollback, tables_have
from flownexus_api.rollout_messages import asked_before, change, last_sequence, load, load_plan, make
from flownexus_api.rollout_plans import Asker, Planned, nothing_to_do
from flownexus_api.rollout_requests import RollbackRequest
from flownexus_api.rollout_tables import tallies
from flownexus_api.rollout_views import MadeRollout, Rollout, made, new_tallies, shown, shown_in_detail
from flownexus_api.routers.rollouts import MAX_BODY, RolloutId
from flownexus_schemas.errors import Conflict, FlowNexusError
from flownexus_schemas.rollouts.lifecycle import GroupBegun, Happening, Paused, Resumed, Stopped
from flownexus_schemas.rollouts.rollout import Rollout as State
from flownexus_schemas.rollouts.rollout import RolloutStatus

router = APIRouter(prefix="/rollouts", tags=["rollouts"])

ANSWERS = answers(401, 403, 404, 409, 422, 503)


@router.post("/{rollout}/pause", responses=ANSWERS)
async def pause_rollout(*, who: FirmwareOperator, parts: PartsDep, rollout: RolloutId, http: Request) -> Rollout:
    """Begin no more updates; those under way go on. For operators."""
    return await _changed(parts, who, rollout, lambda _: Paused(who.name), http)


@router.post("/{rollout}/resume", responses=ANSWERS)
async def resume_rollout(*, who: FirmwareOperator, parts: PartsDep, rollout: RolloutId, http: Request) -> Rollout:
    """Go on. Where it had halted, devices that failed up to now are set aside: they count no more. For operators."""
    return await _changed(parts, who, rollout, lambda _: Resumed(who.name), http)


@router.post("/{rollout}/stop", responses=ANSWERS)
async def stop_rollout(*, who: FirmwareOperator, parts: PartsDep, rollout: RolloutId, http: Request) -> Rollout:
    """End it for good, and take back updates under way where that is possible still. For operators."""
    return await _changed(parts, who, rollout, lambda _: Stopped(who.name), http)


@router.post("/{rollout}/next", responses=ANSWERS)
async def begin_next_group(*, who: FirmwareOperator, parts: PartsDep, rollout: RolloutId, http: Request) -> Rollout:
    """Begin the next group without waiting for the one before. For operators."""
    return await _changed(parts, who, rollout, lambda known: _next(known, who), http)


@router.post(
    "/{rollout}/rollback",
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(401, 403, 404, 409, 413, 422, 503),
    max_body_size=MAX_BODY,
)
async def roll_back(
    *,
    who: FirmwareOperator,
    parts: PartsDep,
    rollout: RolloutId,
    asked: Annotated[RollbackRequest, Body()],
    http: Request,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> MadeRollout:
    """Give the devices that the rollout updated what they had before, or the image that is named. For operators.

    It is a rollout of its own, which refers to this one; this one is stopped. Devices whose update is being taken back
    get their former image only where that comes too late. With `dry_run` it is said what would be done: 200.
    """
    asker = Asker(name_of_operation(who, idempotency_key, "rollback", rollout), who.name, datetime.now(UTC))
    await load(parts.bus, rollout)
    if idempotency_key is not None and not asked.dry_run:
        known = await asked_before(parts.bus, asker.rollout, asked.wish())
        if known is not None:
            plan = await load_plan(parts.bus, known.id)
            before = Planned(known, plan, plan.left_out, {})
            return made(before, shown_in_detail(known, new_tallies(known), []))
    await tables_have(parts, await last_sequence(parts.bus, rollout))
    planned = await plan_rollback(parts, rollout, asked, asker)
    if asked.dry_run:
        response.status_code = HTTPStatus.OK
        return made(planned, None)
    if planned.rollout is None:
        raise nothing_to_do(planned.left_out)
    details = {"rollback": asker.rollout, "name": asked.name, "firmware": asked.firmware}
    entry = await write_down(parts, who, "rollout.rollback", rollout, http, details=details)
    try:
        planned = await _stopped_and_planned(parts, who, rollout, asked, asker)
        if planned.rollout is None or planned.plan is None:
            raise nothing_to_do(planned.left_out)
        new = await make(parts.bus, planned.rollout, planned.plan)
    except FlowNexusError as error:
        await add_outcome(parts, entry, {"error": str(error)})
        raise
    return made(planned, shown_in_detail(new, new_tallies(new), []))


async def _stopped_and_planned(
    parts: Parts, who: Person, rollout: str, asked: RollbackRequest, asker: Asker
) -> Planned:
    """The first one begins nothing more from here on, so what is planned now is all that it reached."""
    known, _ = await load(parts.bus, rollout)
    if known.is_open and known.status is not RolloutStatus.STOPPED:
        await change(parts.bus, rollout, lambda _: Stopped(who.name), asker.at)
    await tables_have(parts, await last_sequence(parts.bus, rollout))
    return await plan_rollback(parts, rollout, asked, asker)


async def _changed(
    parts: Parts, who: Person, rollout: str, wanted: Callable[[State], Happening], http: Request
) -> Rollout:
    known, _ = await load(parts.bus, rollout)
    action = f"rollout.{type(wanted(known)).__name__.lower()}"
    entry = await write_down(parts, who, action, rollout, http)
    try:
        state = await change(parts.bus, rollout, wanted, datetime.now(UTC))
    except FlowNexusError as error:
        await add_outcome(parts, entry, {"error": str(error)})
        raise
    async with parts.engine.begin() as database:
        counted = (await tallies(database, [rollout]))[rollout]
    return Rollout(**shown(state, counted or new_tallies(state)))


def _next(known: State, who: Person) -> GroupBegun:
    following = next((number for number, group in enumerate(known.groups, 1) if group.begun_at is None), None)
    if following is None:
        raise Conflict("Every group of the rollout has begun already.")
    return GroupBegun(following, "it was not to wait for the one before", who.name)
