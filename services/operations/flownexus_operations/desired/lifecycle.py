"""How one desired value goes from state to state. Pure; the clock is an argument.

PENDING until the device is known to have it, then IN_SYNC; DRIFTED where it had it or took it and has another value;
REFUSED where it said no; ABSENT while it does not list the object instance.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from flownexus_operations.desired.comparison import is_equal, is_whole, shown
from flownexus_operations.desired.wishes import Wished
from flownexus_schemas.commands import JsonValue
from flownexus_schemas.desired.standing import DesiredResource, DesiredState

State = DesiredState

SERVER_SIDE = "5."
"""How the codes of a device begin that are no fault of what was asked. RFC 7252, 5.9.3."""

FREE_REVERTS = 2
"""How often a value that goes back is written again at once."""

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE_OF_REVERTS = timedelta(hours=1)
LONGEST_PAUSE_OF_REFUSALS = timedelta(days=1)
QUIET = timedelta(hours=1)
"""What held for so long has settled: a change after that is the first again."""


@dataclass(frozen=True, slots=True)
class Held:
    """The device has what is desired."""


@dataclass(frozen=True, slots=True)
class Differed:
    """It has something else, and was not known to have had what is desired."""


@dataclass(frozen=True, slots=True)
class WentBack:
    """It had what is desired, or took it, and has something else."""


@dataclass(frozen=True, slots=True)
class Took:
    """It took what was written; whether it has it is yet to be seen."""


@dataclass(frozen=True, slots=True)
class TookUnseen:
    """It took what was written, and does not show what it has."""


@dataclass(frozen=True, slots=True)
class Hidden:
    """It does not show what it has, so what is desired is written without knowing."""


@dataclass(frozen=True, slots=True)
class Refused:
    """It said no, or what is desired cannot be sent to it."""

    code: str | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class NotDone:
    """No answer, or nobody asked the device after all."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unlisted:
    """The device does not list the object instance."""


@dataclass(frozen=True, slots=True)
class Listed:
    """It lists it again."""


Happening = Held | Differed | WentBack | Took | TookUnseen | Hidden | Refused | NotDone | Unlisted | Listed

TRANSITIONS: dict[tuple[DesiredState, type[Happening]], DesiredState] = {
    (State.PENDING, Held): State.IN_SYNC,
    (State.PENDING, Differed): State.PENDING,
    (State.PENDING, WentBack): State.DRIFTED,
    (State.PENDING, Took): State.PENDING,
    (State.PENDING, TookUnseen): State.IN_SYNC,
    (State.PENDING, Hidden): State.PENDING,
    (State.PENDING, Refused): State.REFUSED,
    (State.PENDING, NotDone): State.PENDING,
    (State.PENDING, Unlisted): State.ABSENT,
    (State.IN_SYNC, Held): State.IN_SYNC,
    (State.IN_SYNC, WentBack): State.DRIFTED,
    (State.IN_SYNC, Took): State.IN_SYNC,
    (State.IN_SYNC, TookUnseen): State.IN_SYNC,
    (State.IN_SYNC, Hidden): State.IN_SYNC,
    (State.IN_SYNC, Refused): State.REFUSED,
    (State.IN_SYNC, NotDone): State.IN_SYNC,
    (State.IN_SYNC, Unlisted): State.ABSENT,
    (State.DRIFTED, Held): State.IN_SYNC,
    (State.DRIFTED, Differed): State.DRIFTED,
    (State.DRIFTED, WentBack): State.DRIFTED,
    (State.DRIFTED, Took): State.DRIFTED,
    (State.DRIFTED, TookUnseen): State.IN_SYNC,
    (State.DRIFTED, Hidden): State.DRIFTED,
    (State.DRIFTED, Refused): State.REFUSED,
    (State.DRIFTED, NotDone): State.DRIFTED,
    (State.DRIFTED, Unlisted): State.ABSENT,
    (State.REFUSED, Held): State.IN_SYNC,
    (State.REFUSED, Differed): State.REFUSED,
    (State.REFUSED, WentBack): State.DRIFTED,
    (State.REFUSED, Took): State.PENDING,
    (State.REFUSED, TookUnseen): State.IN_SYNC,
    (State.REFUSED, Hidden): State.REFUSED,
    (State.REFUSED, Refused): State.REFUSED,
    (State.REFUSED, NotDone): State.REFUSED,
    (State.REFUSED, Unlisted): State.ABSENT,
    (State.ABSENT, Listed): State.PENDING,
}
"""What is not here changes nothing: an answer that comes late, of an object that is gone."""


def wished(one: Wished, before: DesiredResource | None, now: datetime) -> DesiredResource:
    """The resource as it stands with this wish; what the device is known to have counts for a new wish too."""
    fresh = DesiredResource(
        path=one.path,
        attribute=one.attribute or None,
        desired=shown(one.value),
        type=one.type,
        digest=one.digest,
        profile=one.profile,
        since=now,
    )
    if before is None:
        return fresh
    if before.digest == one.digest:
        return before.model_copy(update={"profile": one.profile})
    known = before.model_copy(
        update={name: getattr(fresh, name) for name in ("desired", "type", "digest", "profile", "since", "state")}
        | {name: DesiredResource.model_fields[name].default for name in _OF_THE_FORMER_WISH}
    )
    if known.checked_in is None or not is_whole(known.reported):
        return known
    holds = is_equal(one.value, known.reported, one.type)
    return after(known.model_copy(update={"holds": holds}), Held() if holds else Differed(), None, now)


_OF_THE_FORMER_WISH = (
    "holds",
    "code",
    "reason",
    "accepted_at",
    "hidden",
    "refusals",
    "refused_in",
    "reverts",
    "retry_at",
)


def seen(
    one: DesiredResource, has: JsonValue | None, wish: JsonValue | None, generation: int | None, now: datetime
) -> DesiredResource:
    """The resource once the device said what it has; None: it does not have it. `wish` is what is desired, in full."""
    holds = is_equal(wish, has, one.type)
    had = one.accepted_at is not None or one.state is State.IN_SYNC
    happening: Happening = Held() if holds else WentBack() if had else Differed()
    known = one.model_copy(update={"reported": shown(has), "reported_at": now, "holds": holds})
    return after(known, happening, generation, now)


def after(one: DesiredResource, happening: Happening, generation: int | None, now: datetime) -> DesiredResource:
    """The resource after the happening. `generation`: that of the registration in which it happened."""
    state = TRANSITIONS.get((one.state, type(happening)))
    if state is None:
        return one
    changes = _changes(one, happening, generation, now)
    if state is not one.state:
        changes |= {"state": state, "since": now}
    return one.model_copy(update=changes)


def _changes(one: DesiredResource, happening: Happening, generation: int | None, now: datetime) -> dict[str, Any]:
    match happening:
        case Held():
            return _CLEAR | _checked(generation, now) | {"refusals": 0, "refused_in": None, "hidden": False}
        case Differed():
            return _checked(generation, now) | {"accepted_at": None}
        case WentBack():
            return _checked(generation, now) | _reverted(one, now)
        case Took():
            return {**_CLEAR, "accepted_at": now, "holds": None, "refusals": 0, "refused_in": None}
        case TookUnseen():
            changes = {"hidden": True, "holds": True, "reported": None, "refusals": 0, "refused_in": None}
            reason = "The device took it, and does not show what it has."
            return {**_CLEAR, **_checked(generation, now), **changes, "reason": reason}
        case Hidden():
            return {"hidden": True, "holds": None, "reported": None}
        case Refused(code=code, reason=reason):
            # The first refusal waits for a registration alone, those of the device's own trouble for their time.
            before = one.refusals if (code or "").startswith(SERVER_SIDE) else one.refusals - 1
            pause = _pause(before, LONGEST_PAUSE_OF_REFUSALS) if before >= 0 else timedelta()
            count = {"refusals": one.refusals + 1, "refused_in": generation}
            return {**count, "code": code, "reason": reason, "accepted_at": None, "retry_at": now + pause}
        case NotDone(reason=reason):
            return {"reason": reason, "retry_at": now + FIRST_PAUSE}
        case Unlisted():
            return {
                **_CLEAR,
                "holds": None,
                "checked_in": None,
                "reason": f"The device does not list {_instance(one)}.",
            }
        case Listed():
            return _CLEAR


_CLEAR: dict[str, Any] = {"code": None, "reason": None, "retry_at": None, "accepted_at": None}


def _checked(generation: int | None, now: datetime) -> dict[str, Any]:
    return {} if generation is None else {"checked_in": generation, "checked_at": now}


def _reverted(one: DesiredResource, now: datetime) -> dict[str, Any]:
    """Written again at once the first times, then after growing pauses; what is read back wrong at once is paused."""
    settled = one.state is State.IN_SYNC and now - one.since >= QUIET
    reverts = 1 if settled else one.reverts + 1
    read_back = one.accepted_at is not None
    free = 0 if read_back else FREE_REVERTS
    wait = _pause(reverts - free - 1, LONGEST_PAUSE_OF_REVERTS) if reverts > free else timedelta()
    told = f"The device {'took it' if read_back else 'had it'} and has another value"
    often = f"; that is the time number {reverts}, it does not stay" if reverts > FREE_REVERTS else ""
    return {"reverts": reverts, "retry_at": now + wait, "reason": f"{told}{often}.", "code": None, "accepted_at": None}


def _pause(before: int, longest: timedelta) -> timedelta:
    return min(FIRST_PAUSE * (1 << min(before, 20)), longest)


def _instance(one: DesiredResource) -> str:
    return "/".join(one.path.split("/")[:2])
