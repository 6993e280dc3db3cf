"""What is to be done next about an update: a pure function of how it stands and of what is known beside it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from flownexus_operations.firmware import cancelling
from flownexus_operations.firmware.facts import Case, Decision, Facts, Said, Wait, Withdraw
from flownexus_operations.firmware.installing import downloaded, install_deadline, installing, verifying
from flownexus_operations.firmware.limits import Limits
from flownexus_operations.firmware.looking import read_anew
from flownexus_operations.firmware.outcomes import after_operation
from flownexus_operations.firmware.reading import read, rest_of_read
from flownexus_operations.firmware.transferring import drop_or_busy, transferring
from flownexus_operations.firmware.trying import known_version, no_more_tries
from flownexus_operations.firmware.ways import no_way, ways
from flownexus_schemas.firmware.happenings import Asked, GivenUp, Reported, Succeeded, Told, WayChosen
from flownexus_schemas.firmware.object5 import State, result_words, state_words
from flownexus_schemas.firmware.update import FirmwareUpdate, Step, UpdateStatus
from flownexus_schemas.operations.operation import OperationStatus

PROGRESS_EVERY = timedelta(seconds=30)
"""A download is kept in the stream so often, and at each tenth of the image."""

Status = UpdateStatus


def decide(update: FirmwareUpdate, facts: Facts, limits: Limits, now: datetime) -> Decision:
    """What happened that is not in the update yet, else what is to be asked, else how long to wait."""
    case = Case(update, facts, limits, now)
    if not update.is_open:
        return Wait()
    if update.operation is not None and (ended := after_operation(case)) is not None:
        return ended
    if update.status is not Status.QUEUED and (reported := _reported(case)) is not None:
        return reported
    if update.operation is not None:
        return _while_asked(case)
    if (asked := rest_of_read(update)) is not None:
        return asked
    if update.silences >= limits.max_silences and update.status in _ENDS_IN_SILENCE:
        return GivenUp(f"The device left {update.silences} requests in a row without an answer.", known_version(update))
    return _BY_STATUS[update.status](case)


_ENDS_IN_SILENCE = frozenset({Status.PREPARING, Status.TRANSFERRING, Status.DOWNLOADED})
"""Of one that installs the time limit decides: a device that starts anew does not answer for a while."""


def _reported(case: Case) -> Reported | GivenUp | None:
    update, facts = case.update, case.facts
    state, result = _news(update, facts.state, update.state), _news(update, facts.result, update.result)
    if state is not None or result is not None:
        at = max(said.at for said in (state, result) if said is not None)
        told = Told(at, state=None if state is None else state.value, result=None if result is None else result.value)
        words = [] if state is None else [state_words(state.value)]
        words += [] if result is None else [f"result {result_words(result.value)}"]
        return Reported(told, f"The device says: {', '.join(words)}.", moved=_is_further(update, told))
    served = facts.served
    if served is None or not _is_progress(update, served, case.now):
        return None
    has = min(served.value, update.size)
    fetched = Told(served.at, transferred=has)
    if 2 * has < update.transferred:
        action = f"The device fetches the image anew: it has {has} of {update.size} bytes."
        return no_more_tries(case, action) or Reported(fetched, action, moved=True, spent=True)
    return Reported(fetched, f"The device has fetched {has} of {update.size} bytes.", moved=True)


def _is_further(update: FirmwareUpdate, told: Told) -> bool:
    """Whether it is a step that was not made before: a device that goes to and fro gets no further."""
    match told.state, update.status:
        case State.DOWNLOADING, Status.TRANSFERRING:
            return not update.started
        case State.UPDATING, Status.INSTALLING:
            return not update.taken
    return False


def _news(update: FirmwareUpdate, said: Said | None, known: int | None) -> Said | None:
    if said is None or said.value == known or (update.seen_at is not None and said.at <= update.seen_at):
        return None
    return said


def _is_progress(update: FirmwareUpdate, served: Said, now: datetime) -> bool:
    if update.status is not Status.TRANSFERRING or update.begun_at is None or update.moved_at is None:
        return False
    if update.way is None or update.way.method == "push" or served.at <= update.begun_at:
        return False
    more = min(served.value, update.size) - update.transferred
    if more == 0 or (more < 0 and 2 * served.value >= update.transferred):
        return False
    return (
        more < 0 or 10 * more >= update.size or served.value >= update.size or now - update.moved_at >= PROGRESS_EVERY
    )


def _while_asked(case: Case) -> Decision:
    """An operation is under way: it is waited for, unless it waits for the device and is of no use any more."""
    update, now = case.update, case.now
    if case.facts.operation is None or case.facts.operation.status is not OperationStatus.QUEUED:
        return Wait()
    match update.status:
        case Status.CANCELLING:
            return cancelling.while_asked(case)
        case Status.PREPARING if update.expires_at is not None:
            return Withdraw() if now >= update.expires_at else Wait(update.expires_at)
        case Status.INSTALLING | Status.VERIFYING if update.step is not Step.INSTALL:
            deadline = install_deadline(case)
            return Withdraw() if now >= deadline else Wait(deadline)
    return Wait()


def _queued(case: Case) -> Decision:
    return _expired(case) or read(case.update)


def _preparing(case: Case) -> Decision:
    update = case.update
    if (expired := _expired(case)) is not None:
        return expired
    if (asked := read_anew(case)) is not None:
        return asked
    if update.device.running_version is None:
        return Asked(Step.READ_VERSION)
    if update.state == State.IDLE and _runs_it_already(update):
        return Succeeded(update.version, f"The device runs {update.version} already: nothing was sent.")
    if (busy := drop_or_busy(case)) is not None:
        return busy
    possible = ways(update, secure=case.is_secure)
    if not possible:
        return GivenUp(no_way(update, secure=case.is_secure), known_version(update))
    return WayChosen(possible[0], known_version(update))


def _runs_it_already(update: FirmwareUpdate) -> bool:
    """By 3/0/3 where the device has that: 5/0/7 may be of an image that it has and does not run."""
    return (update.device.running_version or update.device.package_version) == update.version


def _expired(case: Case) -> GivenUp | None:
    if case.update.expires_at is None or case.now < case.update.expires_at:
        return None
    return GivenUp("Its time was over before the device listened.")


_BY_STATUS: dict[UpdateStatus, Callable[[Case], Decision]] = {
    Status.QUEUED: _queued,
    Status.PREPARING: _preparing,
    Status.TRANSFERRING: transferring,
    Status.DOWNLOADED: downloaded,
    Status.INSTALLING: installing,
    Status.VERIFYING: verifying,
    Status.CANCELLING: cancelling.cancelling,
}
