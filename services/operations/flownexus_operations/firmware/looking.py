"""When the device is to be asked how it stands: what it may have said unheard, and what it does not say by itself."""

from __future__ import annotations

from datetime import datetime, timedelta

from flownexus_operations.firmware.facts import Case, Wait
from flownexus_operations.firmware.reading import read
from flownexus_schemas.firmware.happenings import Asked
from flownexus_schemas.firmware.update import Step


def read_anew(case: Case) -> Asked | Wait | None:
    """Read 5/0 where the state is not known, the device was heard since, or something may have been missed."""
    if case.update.seen_at is None:
        due = _read_again_at(case)
        return read(case.update) if due is None or case.now >= due else Wait(due)
    due = _reread_at(case)
    return read(case.update) if due is not None and case.now >= due else None


def observe_anew(case: Case) -> Asked | None:
    """Observe state and result in each registration: a device that registers again may have forgotten it."""
    if case.facts.generation is None or case.update.observed == case.facts.generation:
        return None
    # The second of the two ends it.
    return Asked(Step.OBSERVE_RESULT if case.update.step is Step.OBSERVE_STATE else Step.OBSERVE_STATE)


def read_or_wait(case: Case, deadline: datetime | None = None) -> Asked | Wait:
    """Read 5/0 where the device has said nothing for a while; else wait for it to, until `deadline`."""
    if (asked := observe_anew(case)) is not None:
        return asked
    looks = [when for when in (_poll_at(case), _reread_at(case)) if when is not None]
    if case.now >= min(looks):
        return read(case.update)
    return Wait(min(looks if deadline is None else [*looks, deadline]))


def _poll_at(case: Case) -> datetime:
    """As long after the last look as that was after the last move."""
    moved, limits = last_move(case), case.limits
    seen = latest(case.update.seen_at, moved)
    pause = min(max((seen - moved).total_seconds(), limits.poll_s), limits.longest_poll_s)
    return seen + timedelta(seconds=pause)


def last_move(case: Case) -> datetime:
    """When the update got further, or the device fetched more of the image than is kept."""
    served = case.facts.served
    more = served is not None and served.value > case.update.transferred
    return latest(case.update.requested_at, case.update.moved_at, served.at if served is not None and more else None)


def latest(*moments: datetime | None) -> datetime:
    """The last of those that are known; one is."""
    return max(moment for moment in moments if moment is not None)


def _read_again_at(case: Case) -> datetime | None:
    """After what was asked for in vain: a pause that grows."""
    if case.update.unmet_at is None:
        return None
    pause = case.limits.reread_s * 2.0 ** min(case.update.silences, 8)
    return case.update.unmet_at + timedelta(seconds=min(pause, case.limits.poll_s))


def _reread_at(case: Case) -> datetime | None:
    update, facts = case.update, case.facts
    heard = facts.since if facts.registered is None else max(facts.since, facts.registered.heard_at)
    if update.seen_at is not None and heard <= update.seen_at:
        return None
    # Some devices send two Updates at each wake-up.
    return heard if update.read_at is None else max(heard, update.read_at + timedelta(seconds=case.limits.reread_s))
