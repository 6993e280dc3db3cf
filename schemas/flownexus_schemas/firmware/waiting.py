"""What an update waits for, as words."""

from __future__ import annotations

from datetime import UTC, datetime

from flownexus_schemas.firmware.update import STEP_WORDS, FirmwareUpdate, UpdateStatus

_OF_STATUS: dict[UpdateStatus, str] = {
    UpdateStatus.QUEUED: "the operations service",
    UpdateStatus.PREPARING: "the next question to the device",
    UpdateStatus.INSTALLING: "the device to install the image and to come back",
    UpdateStatus.VERIFYING: "the device to say that it installed the image, and its version",
    UpdateStatus.CANCELLING: "the device to drop the image",
}


def waiting_for(update: FirmwareUpdate) -> str | None:
    """None where nothing is waited for any more."""
    if not update.is_open:
        return None
    if update.operation is not None and update.step is not None:
        return f"the device's answer to {STEP_WORDS[update.step]}, which is sent when the device listens"
    match update.status:
        case UpdateStatus.TRANSFERRING:
            return _of_transfer(update)
        case UpdateStatus.DOWNLOADED:
            return _of_install(update)
        case status:
            return _OF_STATUS[status]


def _of_transfer(update: FirmwareUpdate) -> str:
    if update.not_before is not None:
        return f"the next try, from {_moment(update.not_before)} on"
    if update.way is not None and update.way.method == "push":
        return "the next part of the image to be written"
    return "the device to fetch the image"


def _of_install(update: FirmwareUpdate) -> str:
    install = update.install
    if update.not_before is not None:
        return f"the next command to install, from {_moment(update.not_before)} on"
    if install.window is not None:
        days = ", ".join(install.window.days) or "every day"
        return f"its maintenance window, {install.window.start:%H:%M} to {install.window.end:%H:%M} UTC, {days}"
    if install.not_before is not None:
        return f"the time to install, {_moment(install.not_before)}"
    return "the command to install"


def _moment(when: datetime) -> str:
    return f"{when.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
