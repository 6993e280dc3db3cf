"""Decisions from the image that is on the device to the version that it runs."""

from __future__ import annotations

from datetime import datetime, timedelta

from flownexus_operations.firmware.facts import Case, Decision, Wait
from flownexus_operations.firmware.looking import latest, read_anew, read_or_wait
from flownexus_operations.firmware.reading import read
from flownexus_operations.firmware.trying import by_result, has_failed, install_again, known_version, retry, runs_wanted
from flownexus_schemas.firmware.happenings import Asked, CameBack, GivenUp, InstallAsked, InstalledByItself, Succeeded
from flownexus_schemas.firmware.object5 import Result, State, result_words, state_words
from flownexus_schemas.firmware.update import FirmwareUpdate, Step


def downloaded(case: Case) -> Decision:
    """DOWNLOADED: the device has the image, and waits for its time."""
    update, now = case.update, case.now
    if (asked := read_anew(case)) is not None:
        return asked
    match update.state:
        case State.UPDATING:
            return InstalledByItself(case.facts.generation)
        case State.DOWNLOADED:
            start, _ = update.install.next(now)
            begin = latest(start, update.not_before)
            return Wait(begin) if now < begin else InstallAsked(case.facts.generation)
    if has_failed(update):
        return by_result(case)
    return retry(case, f"The device has the image no more: it is {state_words(update.state)}.")


def installing(case: Case) -> Decision:
    """INSTALLING: the device was told to, and is to come back."""
    update = case.update
    if _is_back(case):
        return CameBack("The device registered again.")
    deadline = install_deadline(case)
    is_late = case.now >= deadline
    if not is_late and (asked := read_anew(case)) is not None:
        return asked
    if _was_seen_since(update):
        match update.state:
            case State.IDLE:
                return CameBack(_says(update))
            case State.DOWNLOADED if has_failed(update):
                return CameBack(_says(update))
            case State.DOWNLOADED if is_late or not update.taken:
                return install_again(case, "The device has the image, and does not install it.")
    if is_late:
        minutes = case.limits.install_s / 60
        return GivenUp(f"The device did not come back within {minutes:g} minutes.", update.version_before)
    return read_or_wait(case, deadline)


def verifying(case: Case) -> Decision:
    """VERIFYING: the device is back, and is to say how it went and what it runs."""
    update = case.update
    deadline = install_deadline(case)
    is_late = case.now >= deadline
    if not is_late and (asked := read_anew(case)) is not None:
        return asked
    if update.seen_at is None:
        return GivenUp("The device came back, and does not say how it went.", update.version_before)
    if update.device.running_version is None:
        return Asked(Step.READ_VERSION)
    if has_failed(update):
        return by_result(case)
    match update.state:
        case State.IDLE if update.result == Result.SUCCESS:
            return _judge(case)
        case State.IDLE:
            return _says_nothing(case)
        case State.DOWNLOADED:
            runs = known_version(update) or "an unknown version"
            return install_again(case, f"The device came back with {runs}, and the image not installed.")
    if is_late:
        return GivenUp(f"The device is still {state_words(update.state)}.", known_version(update))
    return read_or_wait(case, deadline)


def install_deadline(case: Case) -> datetime:
    """Until when something is to happen."""
    begun = latest(case.update.moved_at, case.update.installed_at, case.update.requested_at)
    return begun + timedelta(seconds=case.limits.install_s)


def _is_back(case: Case) -> bool:
    """Whether the device registered again since it was told to install."""
    return case.facts.generation not in {None, case.update.installed_in}


def _judge(case: Case) -> Decision:
    """The device says success."""
    update = case.update
    runs = known_version(update)
    if runs_wanted(update):
        return Succeeded(update.version, f"The device runs {update.version}, and says success.")
    # It may say so before it starts the image, or before it has told its version.
    patience = 2 * case.limits.poll_s if _is_back(case) else case.limits.install_s
    deadline = latest(update.moved_at) + timedelta(seconds=patience)
    if case.now < deadline:
        return read_or_wait(case, deadline)
    if runs is None:
        return GivenUp("The device says success, and neither 5/0/7 nor 3/0/3 says what it runs.")
    return GivenUp(f"The device says success and runs {runs}, not {update.version}.", runs)


def _says_nothing(case: Case) -> Decision:
    """The device is idle, and has no result."""
    update, runs = case.update, known_version(case.update)
    is_old = _is_back(case) and runs is not None and not runs_wanted(update)
    patience = case.limits.grace_s if is_old else case.limits.progress_s
    deadline = latest(update.moved_at) + timedelta(seconds=patience)
    if case.now < deadline:
        return read_or_wait(case, deadline)
    if update.read_at is None or update.read_at < deadline:
        return read(update)
    if runs_wanted(update):
        return GivenUp(f"The device runs {runs}, and does not say that it updated (5/0/5 is 0).", runs)
    if is_old:
        return retry(case, f"The update did not take: the device came back with {runs}, and no result (5/0/5 is 0).")
    return retry(case, f"The device came back with {runs or 'an unknown version'}, and says nothing of the update.")


def _was_seen_since(update: FirmwareUpdate) -> bool:
    return update.seen_at is not None and update.installed_at is not None and update.seen_at > update.installed_at


def _says(update: FirmwareUpdate) -> str:
    return f"The device says: {state_words(update.state)}, result {result_words(update.result)}."
