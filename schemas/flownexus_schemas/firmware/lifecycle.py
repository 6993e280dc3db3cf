"""The life of a firmware update: which happening leads from which status to which. Pure; the clock is an argument.

QUEUED -> PREPARING -> TRANSFERRING -> DOWNLOADED -> INSTALLING -> VERIFYING -> SUCCEEDED | FAILED, back to TRANSFERRING
where the image is brought once more, and by CANCELLING to CANCELLED.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from flownexus_schemas.errors import Conflict
from flownexus_schemas.firmware.happenings import (
    Answered,
    Asked,
    CameBack,
    CancelAsked,
    Cancelled,
    CancelTooLate,
    Downloaded,
    GivenUp,
    Happening,
    InstallAsked,
    InstalledByItself,
    Postponed,
    Reported,
    Retried,
    Succeeded,
    Told,
    Unmet,
    WayChosen,
)
from flownexus_schemas.firmware.update import (
    CLOSED,
    STEP_WORDS,
    DeviceFirmware,
    FirmwareUpdate,
    Step,
    UpdateStatus,
    operation_id,
)
from flownexus_schemas.firmware.waiting import waiting_for

Status = UpdateStatus

_BEGUN = (
    Status.PREPARING,
    Status.TRANSFERRING,
    Status.DOWNLOADED,
    Status.INSTALLING,
    Status.VERIFYING,
    Status.CANCELLING,
)

TRANSITIONS: dict[tuple[UpdateStatus, type[Happening]], UpdateStatus] = {
    **{(status, happening): status for status in _BEGUN for happening in (Asked, Answered, Unmet, Reported)},
    (Status.QUEUED, Asked): Status.PREPARING,
    (Status.QUEUED, GivenUp): Status.FAILED,
    (Status.QUEUED, CancelAsked): Status.CANCELLED,
    (Status.PREPARING, WayChosen): Status.TRANSFERRING,
    (Status.PREPARING, Succeeded): Status.SUCCEEDED,
    (Status.PREPARING, GivenUp): Status.FAILED,
    (Status.PREPARING, CancelAsked): Status.CANCELLING,
    (Status.TRANSFERRING, Retried): Status.TRANSFERRING,
    (Status.TRANSFERRING, Downloaded): Status.DOWNLOADED,
    (Status.TRANSFERRING, InstalledByItself): Status.INSTALLING,
    (Status.TRANSFERRING, GivenUp): Status.FAILED,
    (Status.TRANSFERRING, CancelAsked): Status.CANCELLING,
    (Status.DOWNLOADED, InstallAsked): Status.INSTALLING,
    (Status.DOWNLOADED, InstalledByItself): Status.INSTALLING,
    (Status.DOWNLOADED, Retried): Status.TRANSFERRING,
    (Status.DOWNLOADED, GivenUp): Status.FAILED,
    (Status.DOWNLOADED, CancelAsked): Status.CANCELLING,
    (Status.INSTALLING, Postponed): Status.DOWNLOADED,
    (Status.INSTALLING, CameBack): Status.VERIFYING,
    (Status.INSTALLING, Retried): Status.TRANSFERRING,
    (Status.INSTALLING, Downloaded): Status.DOWNLOADED,
    (Status.INSTALLING, GivenUp): Status.FAILED,
    (Status.INSTALLING, CancelAsked): Status.CANCELLING,
    (Status.VERIFYING, Succeeded): Status.SUCCEEDED,
    (Status.VERIFYING, Retried): Status.TRANSFERRING,
    (Status.VERIFYING, Downloaded): Status.DOWNLOADED,
    (Status.VERIFYING, GivenUp): Status.FAILED,
    (Status.CANCELLING, CancelTooLate): Status.INSTALLING,
    (Status.CANCELLING, Cancelled): Status.CANCELLED,
}


class InvalidTransition(Conflict):
    """The update is not where this can happen."""


def apply(update: FirmwareUpdate, happening: Happening, now: datetime) -> FirmwareUpdate:
    """The update after the happening. Raises InvalidTransition and leaves it as it was."""
    try:
        status = TRANSITIONS[update.status, type(happening)]
    except KeyError:
        raise InvalidTransition(_why_not(update, happening)) from None
    if isinstance(happening, CancelAsked) and update.status is Status.INSTALLING and update.step is not Step.INSTALL:
        raise InvalidTransition("The device installs the image already: the update cannot be taken back any more.")
    changes: dict[str, Any] = {"status": status, **_changes(update, happening, now)}
    if status in CLOSED:
        changes["finished_at"] = now
    changed = update.model_copy(update=changes)
    return changed.model_copy(update={"waiting_for": waiting_for(changed)})


def _why_not(update: FirmwareUpdate, happening: Happening) -> str:
    if isinstance(happening, CancelAsked):
        if update.status is Status.VERIFYING:
            return "The device has installed the image already: the update cannot be taken back any more."
        return f"The update is {update.status}: it cannot be cancelled any more."
    return f"An update that is {update.status} cannot become {type(happening).__name__}."


_NO_OPERATION: dict[str, Any] = {"operation": None, "step": None}


def _changes(update: FirmwareUpdate, happening: Happening, now: datetime) -> dict[str, Any]:
    match happening:
        case Asked(step=step, action=action):
            return {**_asked(update, step), "last_action": action or f"Asked for {STEP_WORDS[step]}."}
        case Answered(told=told, action=action, moved=moved):
            changes = {**_told(update, told), **_NO_OPERATION, "silences": 0, "last_action": action}
            return changes | ({"moved_at": now} if moved else {})
        case Unmet(reason=reason, silent=silent):
            return {**_NO_OPERATION, "silences": update.silences + 1 if silent else 0, "last_action": reason}
        case Reported(told=told, action=action, moved=moved):
            return {**_told(update, told), "last_action": action} | ({"moved_at": now} if moved else {})
        case WayChosen(way=way, version=version):
            action = f"The device runs {version or 'an unknown version'}; the image goes to it by {way}."
            return {"way": way, "version_before": version, "moved_at": now, "last_action": action}
        case Retried(reason=reason, way=way, not_before=not_before, refused=refused):
            return {
                **_NO_OPERATION,
                "retries": update.retries + 1,
                "transferred": 0,
                "way": way,
                "ways_refused": update.ways_refused if refused is None else (*update.ways_refused, refused),
                "not_before": not_before,
                "moved_at": now,
                "last_action": f"{reason} It is tried again by {way}.",
            }
        case Downloaded(action=action):
            whole = {"transferred": update.size, "not_before": None, "moved_at": now}
            return {**_NO_OPERATION, **whole, "last_action": action}
        case InstallAsked(generation=generation):
            return {
                **_asked(update, Step.INSTALL),
                "installs": update.installs + 1,
                "installed_in": generation,
                "moved_at": now,
                "last_action": f"The device is told to install, time {update.installs + 1}.",
            }
        case InstalledByItself(generation=generation):
            return {
                **_NO_OPERATION,
                "transferred": update.size,
                "installs": update.installs + 1,
                "installed_in": generation,
                "moved_at": now,
                "last_action": "The device installs the image without being told.",
            }
        case Postponed(reason=reason):
            return {**_NO_OPERATION, "installs": update.installs - 1, "last_action": reason}
        case CameBack(action=action):
            return {"moved_at": now, "last_action": action}
        case Succeeded(version=version, action=action):
            return {**_NO_OPERATION, "version_after": version, "last_action": action}
        case GivenUp(reason=reason, version=version):
            return {**_NO_OPERATION, "version_after": version, "last_action": reason}
        case CancelAsked(by=by):
            return {"cancelled_by": by, "resets": 0, "moved_at": now, "last_action": f"Cancelled by {by}."}
        case CancelTooLate(reason=reason):
            return {**_NO_OPERATION, "cancelled_by": None, "moved_at": now, "last_action": reason}
        case Cancelled(reason=reason):
            return {**_NO_OPERATION, "last_action": reason}


def _asked(update: FirmwareUpdate, step: Step) -> dict[str, Any]:
    number = update.steps + 1
    changes: dict[str, Any] = {"step": step, "steps": number, "operation": operation_id(update, number)}
    if step is Step.RESET:
        changes["resets"] = update.resets + 1
    if step in {Step.OFFER, Step.PUSH}:
        changes["not_before"] = None
    return changes


def _told(update: FirmwareUpdate, told: Told) -> dict[str, Any]:
    """What the device said replaces what it said before."""
    said = {name: value for name in DeviceFirmware.model_fields if (value := getattr(told, name)) is not None}
    changes: dict[str, Any] = {"device": update.device.model_copy(update=said)}
    if told.state is not None:
        changes |= {"state": told.state, "seen_at": told.at}
        if told.state != update.state:
            changes["resets"] = 0
    for name in ("result", "transferred", "block_size", "observed"):
        if (value := getattr(told, name)) is not None:
            changes[name] = value
    return changes
