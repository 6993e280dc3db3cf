"""Decisions of an update that somebody takes back: the device is to drop what it has, and is told nothing more."""

from __future__ import annotations

from datetime import datetime, timedelta

from flownexus_operations.firmware.facts import Case, Decision, Wait, Withdraw
from flownexus_operations.firmware.looking import latest, read_or_wait
from flownexus_operations.firmware.reading import read
from flownexus_schemas.firmware.happenings import Asked, Cancelled, CancelTooLate
from flownexus_schemas.firmware.object5 import State
from flownexus_schemas.firmware.update import Step

_HELPS = frozenset({Step.RESET, Step.READ, Step.READ_STATE, Step.READ_RESULT})


def cancelling(case: Case) -> Decision:
    """CANCELLING, with no operation under way."""
    update = case.update
    by = f"Taken back by {update.cancelled_by}"
    if update.way is None:
        return Cancelled(f"{by} before the device had anything of it.")
    if update.state == State.UPDATING and update.seen_at is not None:
        return CancelTooLate("It was too late to take it back: the device installs the image.")
    if case.now >= _deadline(case):
        return Cancelled(f"{by}; the device was not heard, and is told nothing more.")
    if update.silences >= case.limits.max_silences:
        return Cancelled(f"{by}; the device does not answer, and is told nothing more.")
    if update.seen_at is None and update.step is Step.RESET:
        return read(update)
    if update.seen_at is None and update.resets >= case.limits.max_resets:
        return Cancelled(f"{by}; the device does not say what it has of the image, and is told nothing more.")
    if update.seen_at is None:
        return Asked(Step.RESET)
    is_read_since = update.read_at is not None and update.moved_at is not None and update.read_at > update.moved_at
    match update.state:
        case State.IDLE if update.step is Step.RESET:
            return read(update)
        case State.DOWNLOADING if update.resets > 0:
            return _ignored(case, by)
        case State.DOWNLOADED if update.resets >= case.limits.max_resets:
            return Cancelled(f"{by}; the device keeps the image, and is not told to install it.")
        case State.IDLE if is_read_since:
            return Cancelled(f"{by}; the device has nothing of the image any more.")
    return Asked(Step.RESET)


def while_asked(case: Case) -> Decision:
    """CANCELLING, with an operation that waits for the device: only what helps to cancel is still asked."""
    deadline = _deadline(case)
    helps = case.update.step in _HELPS and case.update.way is not None
    return Wait(deadline) if helps and case.now < deadline else Withdraw()


def _deadline(case: Case) -> datetime:
    """Until when the device is to be heard."""
    return latest(case.update.moved_at, case.update.requested_at) + timedelta(seconds=case.limits.cancel_s)


def _ignored(case: Case, by: str) -> Decision:
    """Some devices drop nothing while they download (Zephyr): what they have then is dropped after."""
    deadline = latest(case.update.moved_at) + timedelta(seconds=case.limits.progress_s)
    if case.now < deadline:
        return read_or_wait(case, deadline)
    return Cancelled(f"{by}; the device goes on downloading, and is not told to install the image.")
