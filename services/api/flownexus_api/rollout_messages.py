"""Rollouts on the bus: made, read as they stand, changed. What carries them out is the operations service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from nats.errors import Error as NatsError
from nats.js.api import Header as NatsHeader
from nats.js.errors import APIError, BadRequestError, NotFoundError

from flownexus_api.bus import Bus
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import CloudEvent
from flownexus_schemas.errors import InvalidMessage, InvalidRequest, NotFound, Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE
from flownexus_schemas.rollouts.device import RolloutPlan
from flownexus_schemas.rollouts.lifecycle import Happening, apply
from flownexus_schemas.rollouts.messages import (
    REQUESTED,
    TYPE_OF,
    AnyRolloutEvent,
    RolloutChanged,
    RolloutPlanned,
    parse_rollout_event,
)
from flownexus_schemas.rollouts.rollout import Rollout
from flownexus_schemas.subjects import Stream

SOURCE = "/api"
MAX_RACES = 10
"""How often a change that something overtook is tried again."""

_AWAY = (NatsError, APIError, TimeoutError)


async def make(bus: Bus, rollout: Rollout, plan: RolloutPlan) -> Rollout:
    """Have it on the stream: the plan first, so that a rollout is there with its devices or not at all.

    One that is there already under its id is left, and returned. Raises InvalidRequest where that was asked for with
    other wishes, Unavailable.
    """
    now = rollout.requested_at
    planned = RolloutPlanned(id=f"{rollout.id}-planned", source=SOURCE, subject=rollout.id, time=now, data=plan)
    requested = RolloutChanged(
        id=f"{rollout.id}-requested", source=SOURCE, subject=rollout.id, time=now, type=REQUESTED, data=rollout
    )
    if await _append(bus, subjects.rollout_plan(rollout.id), planned, after=0) and await _append(
        bus, subjects.rollout(rollout.id), requested, after=0
    ):
        return rollout
    known = await asked_before(bus, rollout.id, rollout.wish)
    if known is None:
        raise Unavailable(
            "The same rollout is being made, or was not made to its end; ask again shortly, and where that does not "
            "help with a new Idempotency-Key."
        )
    return known


async def asked_before(bus: Bus, rollout_id: str, wish: str) -> Rollout | None:
    """The rollout where it is there. Raises InvalidRequest where something else was wished then, Unavailable."""
    try:
        known, _ = await load(bus, rollout_id)
    except NotFound:
        return None
    if known.wish != wish:
        raise InvalidRequest("header.idempotency-key: it was used for another rollout; choose a new one.")
    return known


async def load(bus: Bus, rollout_id: str) -> tuple[Rollout, int]:
    """The rollout as it stands, and the sequence that says so. Raises NotFound, Unavailable."""
    event, sequence = await _last(bus, rollout_id, subjects.rollout(rollout_id))
    if not isinstance(event, RolloutChanged):
        raise unknown_rollout(rollout_id)
    return event.data, sequence


async def load_plan(bus: Bus, rollout_id: str) -> RolloutPlan:
    """Which devices it updates. Raises NotFound, Unavailable."""
    event, _ = await _last(bus, rollout_id, subjects.rollout_plan(rollout_id))
    if not isinstance(event, RolloutPlanned):
        raise unknown_rollout(rollout_id)
    return event.data


async def last_sequence(bus: Bus, rollout_id: str) -> int:
    """Of all messages of the rollout and its devices. Raises NotFound, Unavailable."""
    _, sequence = await _last(bus, rollout_id, subjects.all_of_rollout(rollout_id))
    return sequence


async def change(bus: Bus, rollout_id: str, wanted: Callable[[Rollout], Happening], now: datetime) -> Rollout:
    """The rollout after what is wanted of it. Raises NotFound, Conflict where that cannot be, Unavailable."""
    for _ in range(MAX_RACES):
        known, sequence = await load(bus, rollout_id)
        happening = wanted(known)
        changed = apply(known, happening, now)
        event = RolloutChanged(
            id=f"{rollout_id}-{sequence}-{type(happening).__name__.lower()}",
            source=SOURCE,
            subject=rollout_id,
            time=now,
            type=TYPE_OF[type(happening)],
            data=changed,
        )
        if await _append(bus, subjects.rollout(rollout_id), event, after=sequence):
            return changed
    raise Unavailable("The rollout changes too fast; try again shortly.")


def unknown_rollout(rollout_id: str) -> NotFound:
    return NotFound(f"There is no rollout {rollout_id!r}.")


async def _last(bus: Bus, rollout_id: str, subject: str) -> tuple[AnyRolloutEvent, int]:
    try:
        message = await bus.jetstream().get_last_msg(Stream.OPERATIONS, subject)
        return parse_rollout_event(message.data or b""), message.seq or 0
    except (NotFoundError, InvalidMessage) as error:
        raise unknown_rollout(rollout_id) from error
    except _AWAY as error:
        raise Unavailable("The message bus does not give the rollout; try again shortly.") from error


async def _append(bus: Bus, subject: str, event: CloudEvent, after: int) -> bool:
    """Whether it is kept; not where the subject has another last message. Raises Unavailable."""
    try:
        await bus.jetstream().publish(
            subject,
            event.model_dump_json().encode(),
            stream=Stream.OPERATIONS,
            headers={NatsHeader.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(after)},
        )
    except BadRequestError as error:
        if error.err_code != WRONG_LAST_SEQUENCE:
            raise Unavailable("The message bus does not take the rollout; try again shortly.") from error
        return False
    except _AWAY as error:
        raise Unavailable(
            "It is not known whether the message bus has the rollout; ask again with the same Idempotency-Key."
        ) from error
    return True
