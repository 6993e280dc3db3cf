"""The life of a rollout: which happening leads from which state to which. Pure; the clock is an argument.

RUNNING <-> PAUSED, RUNNING or PAUSED -> HALTED -> RUNNING; any of these -> STOPPED; RUNNING -> FINISHED.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flownexus_schemas.errors import Conflict
from flownexus_schemas.rollouts.rollout import Rollout, RolloutGroup, RolloutStatus

Status = RolloutStatus


@dataclass(frozen=True, slots=True)
class GroupBegun:
    """Updates of the group are asked for from now on. `by`: somebody who did not wait for the one before."""

    group: int
    reason: str
    by: str | None = None


@dataclass(frozen=True, slots=True)
class GatePaused:
    """Enough of a group succeeded, after which somebody is to look."""

    group: int
    reason: str


@dataclass(frozen=True, slots=True)
class Paused:
    """Somebody had it wait."""

    by: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Somebody had it go on. What failed up to now is set aside where it had halted."""

    by: str


@dataclass(frozen=True, slots=True)
class Halted:
    """It stopped by itself."""

    reason: str


@dataclass(frozen=True, slots=True)
class Stopped:
    """Somebody ended it."""

    by: str


@dataclass(frozen=True, slots=True)
class Settled:
    """It was stopped, and nothing of it is under way any more."""


@dataclass(frozen=True, slots=True)
class Finished:
    """Every device has come to its end."""

    summary: str


Happening = GroupBegun | GatePaused | Paused | Resumed | Halted | Stopped | Settled | Finished

TRANSITIONS: dict[tuple[RolloutStatus, type[Happening]], RolloutStatus] = {
    (Status.RUNNING, GroupBegun): Status.RUNNING,
    (Status.RUNNING, GatePaused): Status.PAUSED,
    (Status.RUNNING, Paused): Status.PAUSED,
    (Status.RUNNING, Halted): Status.HALTED,
    (Status.RUNNING, Stopped): Status.STOPPED,
    (Status.RUNNING, Finished): Status.FINISHED,
    (Status.PAUSED, Resumed): Status.RUNNING,
    (Status.PAUSED, Halted): Status.HALTED,
    (Status.PAUSED, Stopped): Status.STOPPED,
    (Status.HALTED, Resumed): Status.RUNNING,
    (Status.HALTED, Stopped): Status.STOPPED,
    (Status.STOPPED, Settled): Status.STOPPED,
}


class InvalidTransition(Conflict):
    """The rollout is not where this can happen."""


def apply(rollout: Rollout, happening: Happening, now: datetime) -> Rollout:
    """The rollout after the happening. Raises InvalidTransition and leaves it as it was."""
    status = TRANSITIONS.get((rollout.status, type(happening)))
    if status is None or not rollout.is_open:
        raise InvalidTransition(f"The rollout is {rollout.status}: it cannot be {_NAMES[type(happening)]}.")
    return rollout.model_copy(update={"status": status, **_changes(rollout, happening, now)})


_NAMES: dict[type[Happening], str] = {
    GroupBegun: "given its next group",
    GatePaused: "paused",
    Paused: "paused",
    Resumed: "resumed",
    Halted: "halted",
    Stopped: "stopped",
    Settled: "settled",
    Finished: "finished",
}


def _changes(rollout: Rollout, happening: Happening, now: datetime) -> dict[str, Any]:
    match happening:
        case GroupBegun(group=group, reason=reason, by=by):
            known = rollout.groups[group - 1]
            if known.begun_at is not None:
                raise InvalidTransition(f"Group {group} has begun already.")
            who = f" by {by}" if by is not None else ""
            return {
                "groups": _with(rollout, group, known.model_copy(update={"begun_at": now})),
                "last_action": f"Group {group} of {len(rollout.groups)} begun{who}: {reason}.",
            }
        case GatePaused(group=group, reason=reason):
            known = rollout.groups[group - 1].model_copy(update={"paused_after_at": now})
            return {
                "groups": _with(rollout, group, known),
                "last_action": f"Paused after group {group}, as planned: {reason}. Resume it to go on.",
            }
        case Paused(by=by):
            return {"last_action": f"Paused by {by}. Updates under way go on."}
        case Resumed(by=by) if rollout.status is Status.HALTED:
            said = f"Resumed by {by}. Devices that failed until now are set aside."
            return {"accepted_until": now, "last_action": said}
        case Resumed(by=by):
            return {"last_action": f"Resumed by {by}."}
        case Halted(reason=reason):
            return {"last_action": f"Halted: {reason}."}
        case Stopped(by=by):
            return {"last_action": f"Stopped by {by}. Updates under way are taken back."}
        case Settled():
            return {"finished_at": now}
        case Finished(summary=summary):
            return {"finished_at": now, "last_action": f"Finished: {summary}."}


def _with(rollout: Rollout, number: int, group: RolloutGroup) -> tuple[RolloutGroup, ...]:
    return (*rollout.groups[: number - 1], group, *rollout.groups[number:])
