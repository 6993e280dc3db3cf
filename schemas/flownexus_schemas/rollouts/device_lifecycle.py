"""The life of a device of a rollout. Pure; the clock is an argument.

WAITING -> UPDATING -> WATCHED -> SUCCEEDED, or to what went wrong; RECALLED while its update is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from flownexus_schemas.errors import Conflict
from flownexus_schemas.rollouts.device import DeviceStatus, Recall, RolloutDevice, update_id

Status = DeviceStatus


@dataclass(frozen=True, slots=True)
class Begun:
    """Its update is asked for. `again`: that of the last attempt, which is under way."""

    again: bool = False


@dataclass(frozen=True, slots=True)
class Postponed:
    """Its update could not be asked for yet."""

    reason: str


@dataclass(frozen=True, slots=True)
class PassedOver:
    """There is nothing to update any more."""

    reason: str


@dataclass(frozen=True, slots=True)
class Recalled:
    """Its update is to be taken back."""

    why: Recall
    reason: str


@dataclass(frozen=True, slots=True)
class Updated:
    """It runs the image. `at`: when its update succeeded."""

    at: datetime
    version_before: str | None


@dataclass(frozen=True, slots=True)
class UpdateFailed:
    """Its update failed."""

    reason: str


@dataclass(frozen=True, slots=True)
class UpdateCancelled:
    """Its update was taken back, by whomever, and is not asked for again."""

    reason: str


@dataclass(frozen=True, slots=True)
class TakenBack:
    """Its update was taken back as the rollout halted: it waits again."""


@dataclass(frozen=True, slots=True)
class GivenUp:
    """Its update took too long."""

    reason: str


@dataclass(frozen=True, slots=True)
class Proven:
    """It was well for as long as it is watched."""

    reason: str


@dataclass(frozen=True, slots=True)
class WentQuiet:
    """It was not heard any more after its update."""

    reason: str


@dataclass(frozen=True, slots=True)
class HeardAgain:
    """It was quiet, and is there again."""


@dataclass(frozen=True, slots=True)
class Rebooted:
    """It registers more often than before its update."""

    reason: str


DeviceHappening = (
    Begun
    | Postponed
    | PassedOver
    | Recalled
    | Updated
    | UpdateFailed
    | UpdateCancelled
    | TakenBack
    | GivenUp
    | Proven
    | WentQuiet
    | HeardAgain
    | Rebooted
)

TRANSITIONS: dict[tuple[DeviceStatus, type[DeviceHappening]], DeviceStatus] = {
    (Status.WAITING, Begun): Status.UPDATING,
    (Status.WAITING, Postponed): Status.WAITING,
    (Status.WAITING, PassedOver): Status.LEFT_OUT,
    (Status.UPDATING, Postponed): Status.WAITING,
    (Status.UPDATING, Recalled): Status.RECALLED,
    (Status.UPDATING, Updated): Status.WATCHED,
    (Status.UPDATING, UpdateFailed): Status.FAILED,
    (Status.UPDATING, UpdateCancelled): Status.CANCELLED,
    (Status.RECALLED, Postponed): Status.WAITING,
    (Status.RECALLED, Updated): Status.WATCHED,
    (Status.RECALLED, UpdateFailed): Status.FAILED,
    (Status.RECALLED, UpdateCancelled): Status.CANCELLED,
    (Status.RECALLED, TakenBack): Status.WAITING,
    (Status.RECALLED, GivenUp): Status.FAILED,
    (Status.WATCHED, Proven): Status.SUCCEEDED,
    (Status.WATCHED, WentQuiet): Status.QUIET,
    (Status.WATCHED, Rebooted): Status.REBOOTING,
    (Status.QUIET, HeardAgain): Status.WATCHED,
}


class InvalidDeviceTransition(Conflict):
    """The device is not where this can happen."""


def apply_to_device(device: RolloutDevice, happening: DeviceHappening, now: datetime) -> RolloutDevice:
    """The device after the happening. Raises InvalidDeviceTransition and leaves it as it was."""
    try:
        status = TRANSITIONS[device.status, type(happening)]
    except KeyError:
        raise InvalidDeviceTransition(
            f"The device is {device.status}: it cannot be {type(happening).__name__}."
        ) from None
    return device.model_copy(update={"status": status, "ended_at": now, **_changes(device, happening, now)})


def _changes(device: RolloutDevice, happening: DeviceHappening, now: datetime) -> dict[str, Any]:
    match happening:
        case Begun(again=again):
            attempt = device.attempt if again else device.attempt + 1
            return {
                "attempt": attempt,
                "update": update_id(device.rollout, device.endpoint, attempt),
                "begun_at": now,
                "ended_at": None,
                "recall": None,
                "last_action": f"Its update to {device.image.version} was asked for.",
            }
        case Recalled(why=why, reason=reason):
            return {"recall": why, "ended_at": None, "last_action": f"Its update is taken back: {reason}."}
        case Updated(at=at, version_before=before):
            said = f"It runs {device.image.version}."
            return {"updated_at": at, "ended_at": at, "version_before": before, "last_action": said}
        case TakenBack():
            return {"ended_at": None, "last_action": "Its update was taken back as the rollout halted; it waits again."}
        case HeardAgain():
            return {"last_action": "It is heard again."}
        case Postponed(reason=reason):
            return {"ended_at": None, "last_action": reason}
        case (
            PassedOver(reason=reason)
            | UpdateFailed(reason=reason)
            | UpdateCancelled(reason=reason)
            | GivenUp(reason=reason)
            | Proven(reason=reason)
            | WentQuiet(reason=reason)
            | Rebooted(reason=reason)
        ):
            return {"last_action": reason}
