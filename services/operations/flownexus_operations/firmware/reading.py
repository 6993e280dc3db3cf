"""How 5/0 is read: as a whole, or resource by resource from a device that refuses that. LwM2M Core 1.1.1, E.6."""

from __future__ import annotations

from itertools import pairwise

from flownexus_schemas.firmware.happenings import Asked
from flownexus_schemas.firmware.update import FirmwareUpdate, Step, UpdateStatus

_STANDING = (Step.READ_STATE, Step.READ_RESULT)
"""The state first: a result that comes in between is of a state that is read again then."""

_OF_STATUS: dict[UpdateStatus, tuple[Step, ...]] = {
    UpdateStatus.PREPARING: (*_STANDING, Step.READ_PACKAGE_VERSION, Step.READ_PROTOCOLS, Step.READ_DELIVERY),
    UpdateStatus.VERIFYING: (*_STANDING, Step.READ_PACKAGE_VERSION),
}


def read(update: FirmwareUpdate, action: str | None = None) -> Asked:
    """Asks the device how it stands. `action`: as of Asked."""
    return Asked(Step.READ_STATE if update.singly else Step.READ, action)


def rest_of_read(update: FirmwareUpdate) -> Asked | None:
    """The next of the resources, where the one before was answered; None where there is none."""
    if update.step is None or update.seen_at is None or update.unmet_at is not None:
        return None
    following = dict(pairwise(_OF_STATUS.get(update.status, _STANDING))).get(update.step)
    return None if following is None else Asked(following)
