"""Decisions from the way that was chosen to the image that is on the device."""

from __future__ import annotations

from datetime import timedelta

from flownexus_operations.firmware.facts import Case, Decision, Wait
from flownexus_operations.firmware.looking import last_move, latest, observe_anew, read_anew, read_or_wait
from flownexus_operations.firmware.reading import read
from flownexus_operations.firmware.trying import by_result, has_failed, known_version, retry
from flownexus_schemas.firmware.happenings import Asked, Downloaded, GivenUp, InstalledByItself
from flownexus_schemas.firmware.object5 import State, state_words
from flownexus_schemas.firmware.update import FirmwareUpdate, Step


def transferring(case: Case) -> Decision:
    """TRANSFERRING."""
    update = case.update
    if update.not_before is not None and case.now < update.not_before:
        return Wait(update.not_before)
    if (asked := read_anew(case)) is not None:
        return asked
    if update.begun_at is None:
        return drop_or_busy(case) or _begin(case)
    match update.state:
        case State.UPDATING:
            return InstalledByItself(case.facts.generation)
        case State.DOWNLOADED:
            return Downloaded("The device has the whole image.")
        case State.IDLE if (ended := _ended(case)) is not None:
            return ended
    if _is_push(update) and update.transferred < update.size:
        return Asked(Step.PUSH)
    return _await_it(case)


def drop_or_busy(case: Case) -> Decision | None:
    """What is to be done about what the device is at, which is nothing of ours; None where it is at nothing."""
    update, limits = case.update, case.limits
    begun = latest(update.moved_at, update.requested_at)
    match update.state:
        case State.UPDATING:
            patience, keeps = limits.install_s, "installs another image since"
        case State.DOWNLOADING if update.resets > 0:
            patience, keeps = limits.progress_s, "downloads another image, which it was told to drop, since"
        case State.DOWNLOADED if update.resets >= limits.max_resets:
            keeps = f"The device keeps another image, which it was told to drop {update.resets} times."
            return GivenUp(keeps, known_version(update))
        case State.DOWNLOADING | State.DOWNLOADED:
            has = f"The device is {state_words(update.state)} of another image"
            return Asked(Step.RESET, f"{has}: it is told to drop it.")
        case _:
            return None
    deadline = begun + timedelta(seconds=patience)
    if case.now >= deadline:
        return GivenUp(f"The device {keeps} {begun:%Y-%m-%d %H:%M} UTC.", known_version(update))
    return read_or_wait(case, deadline)


def _begin(case: Case) -> Decision:
    if (asked := observe_anew(case)) is not None:
        return asked
    return Asked(Step.PUSH if _is_push(case.update) else Step.OFFER)


def _ended(case: Case) -> Decision | None:
    """The device is idle again: why, where there is anything to be said of it."""
    update = case.update
    assert update.begun_at is not None
    assert update.seen_at is not None
    if update.seen_at <= update.begun_at:
        return None
    if has_failed(update):
        return by_result(case)
    is_read = update.read_at == update.seen_at
    if _is_push(update):
        # Some clients hand the image to object 5 once it is whole, and are idle until then.
        return None
    if update.unsure and is_read:
        return Asked(Step.OFFER, "The device did not get the link: it is sent again.")
    if not update.started and case.facts.generation in {None, update.begun_in}:
        return None
    if is_read:
        return retry(case, "The device lost the image before it was whole.")
    # Some devices tell their state first, and the result of it then.
    settled = update.seen_at + timedelta(seconds=case.limits.settle_s)
    return read(update) if case.now >= settled else Wait(settled)


def _await_it(case: Case) -> Decision:
    deadline = latest(last_move(case), case.facts.since) + timedelta(seconds=case.limits.progress_s)
    if case.now >= deadline and (case.update.read_at is None or case.update.read_at < deadline):
        return read(case.update)
    if case.now >= deadline:
        return retry(case, f"The device got no further for {case.limits.progress_s / 60:g} minutes.")
    return read_or_wait(case, deadline)


def _is_push(update: FirmwareUpdate) -> bool:
    return update.way is not None and update.way.method == "push"
