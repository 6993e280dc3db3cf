"""How a group of a rollout stands against what it is to reach. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flownexus_schemas.rollouts.device import BAD, IN_FLIGHT, DeviceStatus, RolloutDevice
from flownexus_schemas.rollouts.rollout import RolloutGroup

_OUT_OF_COUNT = frozenset({DeviceStatus.CANCELLED, DeviceStatus.LEFT_OUT})
_ROUNDING = 1e-9
_OPEN = IN_FLIGHT | {DeviceStatus.WAITING, DeviceStatus.WATCHED}


def at_least(percent: float, of: int) -> int:
    """The least whole number that is so many percent."""
    return math.ceil(percent * of / 100 - _ROUNDING)


def is_set_aside(status: DeviceStatus, ended_at: datetime | None, accepted_until: datetime | None) -> bool:
    """Whether a device that failed counts neither for nor against its group, as a resume came after it."""
    return status in BAD and accepted_until is not None and ended_at is not None and ended_at <= accepted_until


@dataclass(frozen=True, slots=True)
class Tally:
    """How many devices of a group stand where. `set_aside`: of those that failed, quiet or rebooting."""

    by_status: Counter[DeviceStatus]
    set_aside: int = 0

    @property
    def base(self) -> int:
        """How many the percents are of: all but those that are cancelled, left out or set aside."""
        return self.by_status.total() - sum(self.by_status[status] for status in _OUT_OF_COUNT) - self.set_aside

    @property
    def succeeded(self) -> int:
        return self.by_status[DeviceStatus.SUCCEEDED]

    @property
    def bad(self) -> int:
        """Failed, quiet and rebooting ones that count."""
        return sum(self.by_status[status] for status in BAD) - self.set_aside

    @property
    def open(self) -> int:
        """Those that can still succeed."""
        return sum(self.by_status[status] for status in _OPEN)

    def needed(self, group: RolloutGroup) -> int:
        """How many must succeed before the next group begins."""
        return at_least(group.succeeded_percent, self.base)

    def is_through(self, group: RolloutGroup) -> bool:
        """Whether enough succeeded."""
        return self.succeeded >= self.needed(group)

    def is_out_of_reach(self, group: RolloutGroup) -> bool:
        """Whether not enough can succeed any more."""
        return self.succeeded + self.open < self.needed(group)

    def fails(self, group: RolloutGroup) -> bool:
        """Whether more failed than the group is allowed."""
        return self.bad > group.failed_percent * self.base / 100 + _ROUNDING


def tally(devices: Iterable[RolloutDevice], accepted_until: datetime | None) -> Tally:
    """Of these devices, which are those of one group."""
    by_status: Counter[DeviceStatus] = Counter()
    set_aside = 0
    for device in devices:
        by_status[device.status] += 1
        set_aside += is_set_aside(device.status, device.ended_at, accepted_until)
    return Tally(by_status, set_aside)
