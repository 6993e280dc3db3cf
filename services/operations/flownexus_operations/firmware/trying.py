"""Whether what failed is tried again, and how: by what the device said of it, and by how often it was tried."""

from __future__ import annotations

from datetime import datetime, timedelta

from flownexus_operations.firmware.facts import Case
from flownexus_operations.firmware.ways import no_way, ways
from flownexus_schemas.firmware.happenings import Downloaded, GivenUp, Retried
from flownexus_schemas.firmware.object5 import Result, State, result_words
from flownexus_schemas.firmware.update import FirmwareUpdate

MAX_BAD_CHECKSUMS = 2
"""A second image that is not whole comes from the image or the device, not from the way."""

_SAME_WAY = frozenset({Result.NO_FLASH, Result.NO_MEMORY, Result.CONNECTION_LOST, Result.BAD_CHECKSUM})
_OTHER_WAY = frozenset({Result.UNSUPPORTED_PACKAGE, Result.INVALID_URI, Result.UNSUPPORTED_PROTOCOL})


def has_failed(update: FirmwareUpdate) -> bool:
    """Whether the result that the device says is that of a failure."""
    return update.result is not None and update.result > Result.SUCCESS


def retry(case: Case, reason: str, *, other_way: bool = False, result: int | None = None) -> Retried | GivenUp:
    """Bring the image to it again, unless that was done too often or there is no way left. `reason`: a sentence."""
    update, limits = case.update, case.limits
    version = known_version(update)
    if update.installs >= limits.max_installs:
        return GivenUp(f"{reason} It was told to install {update.installs} times: no more.", version, result)
    if (ended := no_more_tries(case, reason, result)) is not None:
        return ended
    refused = update.way if other_way else None
    tried = update if refused is None else update.model_copy(update={"ways_refused": (*update.ways_refused, refused)})
    left = ways(tried, secure=case.is_secure)
    if not left:
        return GivenUp(f"{reason} {no_way(tried, secure=case.is_secure)}", version, result)
    way = update.way if update.way in left and update.way is not None else left[0]
    wait = timedelta(0) if other_way else limits.retry_wait(update.retries)
    return Retried(reason, way, case.now + wait, refused, result)


def no_more_tries(case: Case, reason: str, result: int | None = None) -> GivenUp | None:
    """The end where it was tried too often; None where it was not. `reason`: a sentence."""
    if case.update.retries < case.limits.max_retries:
        return None
    tried = f"It was tried {case.update.retries + 1} times: no more."
    return GivenUp(f"{reason} {tried}", known_version(case.update), result)


def by_result(case: Case) -> Retried | GivenUp | Downloaded:
    """What a result of 2 and more means. LwM2M Core 1.1.1, E.6, resource 5."""
    update = case.update
    result = update.result or 0
    reason = f"The device says: {result_words(result)}."
    if result == Result.BAD_CHECKSUM and update.results.count(result) + 1 >= MAX_BAD_CHECKSUMS:
        return GivenUp(f"{reason} It said so of {MAX_BAD_CHECKSUMS} downloads.", known_version(update), result)
    if result in _SAME_WAY:
        return retry(case, reason, result=result)
    if result in _OTHER_WAY:
        return retry(case, reason, other_way=True, result=result)
    if result == Result.DEFERRED and update.state == State.DOWNLOADED:
        return install_again(case, reason, case.now + timedelta(seconds=case.limits.deferred_s))
    return GivenUp(reason, known_version(update), result)


def install_again(case: Case, reason: str, not_before: datetime | None = None) -> Downloaded | GivenUp:
    """Tell the device once more to install what it has, unless it was told too often. `reason`: a sentence."""
    update = case.update
    if update.installs >= case.limits.max_installs:
        told = f"It was told to install {update.installs} times: no more."
        return GivenUp(f"{reason} {told}", known_version(update))
    return Downloaded(f"{reason} It is told to install again.", not_before)


def known_version(update: FirmwareUpdate) -> str | None:
    """What the device runs, as far as it says."""
    return update.device.running_version or update.device.package_version or None


def runs_wanted(update: FirmwareUpdate) -> bool:
    """Whether the device says that it runs the version of the image: in 5/0/7, or in 3/0/3."""
    return update.version in {update.device.package_version, update.device.running_version}
