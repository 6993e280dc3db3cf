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
from flownexus_schemas.firmware.object5 import State
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
    if isinstance(happening, CancelAsked) and update.status is Status.INSTALLING and not _is_told_to_install(update):
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


def _is_told_to_install(update: FirmwareUpdate) -> bool:
    """Whether the command to install may still be taken back, as far as the update says."""
    return update.step is Step.INSTALL and update.operation is not None


_READS = frozenset({Step.READ, Step.READ_STATE, Step.READ_RESULT})
_ENDED: dict[str, Any] = {"operation": None}
_NOT_BEGUN: dict[str, Any] = {"begun_at": None, "begun_in": None, "started": False, "unsure": False}
_ANEW: dict[str, Any] = {**_NOT_BEGUN, "transferred": 0, "resets": 0, "seen_at": None, "unmet_at": None}


def _changes(update: FirmwareUpdate, happening: Happening, now: datetime) -> dict[str, Any]:
    match happening:
        case Asked(step=step, action=action):
            return {**_asked(update, step), "last_action": action or f"Asked for {STEP_WORDS[step]}."}
        case Answered() | Reported() | Unmet():
            return _heard(update, happening, now)
        case WayChosen(way=way, version=version):
            action = f"The device runs {version or 'an unknown version'}; the image goes to it by {way}."
            return {"way": way, "version_before": version, "resets": 0, "moved_at": now, "last_action": action}
        case Retried(reason=reason, way=way, not_before=not_before, refused=refused, result=result):
            return {
                **_ENDED,
                **_ANEW,
                **_failed(update, result),
                "retries": update.retries + 1,
                "way": way,
                "ways_refused": update.ways_refused if refused is None else (*update.ways_refused, refused),
                "not_before": not_before,
                "moved_at": now,
                "last_action": f"{reason} It is tried again by {way}.",
            }
        case Downloaded(action=action, not_before=not_before):
            return {"transferred": update.size, "not_before": not_before, "moved_at": now, "last_action": action}
        case InstallAsked(generation=generation):
            action = f"The device is told to install the image{_time(update.installs + 1)}."
            return {**_asked(update, Step.INSTALL), **_installing(update, generation, now), "last_action": action}
        case InstalledByItself(generation=generation):
            action = "The device installs the image without being told."
            return {**_installing(update, generation, now), "taken": True, "last_action": action}
        case Postponed(reason=reason):
            return {**_ENDED, "installs": update.installs - 1, "last_action": reason}
        case CameBack(action=action):
            # What it runs now is to be read, and what it said before counts for nothing.
            device = update.device.model_copy(update={"running_version": None, "package_version": None})
            return {"moved_at": now, "seen_at": None, "device": device, "last_action": action}
        case Succeeded(version=version, action=action):
            return {**_ENDED, "version_after": version, "last_action": action}
        case GivenUp(reason=reason, version=version, result=result):
            return {**_ENDED, **_failed(update, result), "version_after": version, "last_action": reason}
        case CancelAsked(by=by):
            return {"cancelled_by": by, "resets": 0, "moved_at": now, "last_action": f"Taken back by {by}."}
        case CancelTooLate(reason=reason):
            begun = {"taken": True, "installed_at": update.installed_at or now, "moved_at": now}
            return {**_ENDED, **begun, "cancelled_by": None, "last_action": reason}
        case Cancelled(reason=reason):
            return {**_ENDED, "last_action": reason}


def _heard(update: FirmwareUpdate, happening: Answered | Reported | Unmet, now: datetime) -> dict[str, Any]:
    changes: dict[str, Any]
    match happening:
        case Answered(told=told, action=action, moved=moved, spent=spent, settled=settled):
            changes = {**_ENDED, **_told(update, told), "unmet_at": None, "last_action": action}
            # One that answers this and never what is asked next has not answered.
            changes["silences"] = update.silences if update.step is Step.READ_STATE else 0
            if not settled:
                changes["seen_at"] = None
            if update.step in _READS and "seen_at" in changes:
                changes["read_at"] = told.at
            if update.step is Step.INSTALL:
                changes["taken"] = True
        case Reported(told=told, action=action, moved=moved, spent=spent):
            changes = {**_told(update, told), "silences": 0, "last_action": action}
        case Unmet(reason=reason, silent=silent, begun_in=begun_in):
            silences = update.silences + 1 if silent else 0
            changes = {**_ENDED, "silences": silences, "seen_at": None, "unmet_at": now, "last_action": reason}
            return changes if begun_in is None else changes | _unsure(update, begun_in, now)
    if spent:
        changes["retries"] = update.retries + 1
    return changes | ({"moved_at": now} if moved else {})


def _asked(update: FirmwareUpdate, step: Step) -> dict[str, Any]:
    number = update.steps + 1
    changes: dict[str, Any] = {"step": step, "steps": number, "operation": operation_id(update, number)}
    if step is Step.RESET:
        changes["resets"] = update.resets + 1
    if step is Step.OFFER or (step is Step.PUSH and update.begun_at is None):
        changes |= {**_NOT_BEGUN, "not_before": None, "transfers": update.transfers + 1}
    if step in {Step.READ, Step.READ_STATE} and update.status is Status.VERIFYING:
        changes["device"] = update.device.model_copy(update={"running_version": None, "package_version": None})
    return changes


def _unsure(update: FirmwareUpdate, begun_in: int, now: datetime) -> dict[str, Any]:
    begun = {"begun_at": now, "begun_in": begun_in} if update.begun_at is None else {}
    return {**begun, "unsure": True, "retries": update.retries + 1, "moved_at": now}


def _installing(update: FirmwareUpdate, generation: int | None, now: datetime) -> dict[str, Any]:
    return {
        "transferred": update.size,
        "installs": update.installs + 1,
        "installed_in": generation,
        "installed_at": now,
        "taken": False,
        "not_before": None,
        "moved_at": now,
    }


def _time(number: int) -> str:
    return f" for the {number}. time" if number > 1 else ""


def _failed(update: FirmwareUpdate, result: int | None) -> dict[str, Any]:
    return {} if result is None else {"results": (*update.results, result)}


def _told(update: FirmwareUpdate, told: Told) -> dict[str, Any]:
    """What the device said replaces what it said before."""
    said = {name: value for name in DeviceFirmware.model_fields if (value := getattr(told, name)) is not None}
    changes: dict[str, Any] = {"device": update.device.model_copy(update=said)}
    if told.state is not None or told.result is not None:
        changes["seen_at"] = told.at
    if told.state == State.DOWNLOADING or told.transferred:
        changes["started"] = True
    if told.state == State.UPDATING and update.status is Status.INSTALLING:
        changes["taken"] = True
    if told.begun_in is not None and update.begun_at is None:
        changes |= {"begun_at": told.at, "begun_in": told.begun_in, "unsure": False}
    for name in ("state", "result", "transferred", "block_size", "observed", "singly"):
        if (value := getattr(told, name)) is not None:
            changes[name] = value
    return changes
