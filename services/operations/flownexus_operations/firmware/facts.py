"""What is known beside the update itself, and what a decision can be other than a happening."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flownexus_operations.firmware.limits import Limits
from flownexus_schemas.firmware.happenings import Happening
from flownexus_schemas.firmware.update import FirmwareUpdate
from flownexus_schemas.operations.operation import Operation


@dataclass(frozen=True, slots=True)
class Registered:
    """The device's registration. `heard_at` is when this replica learned of its last Register or Update; `secure`:
    it came by DTLS.
    """

    generation: int
    secure: bool
    heard_at: datetime


@dataclass(frozen=True, slots=True)
class Said:
    """A number that the device reported by itself, or how many bytes it was served, and when that was heard."""

    value: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one update. `operation` is the one that it waits for; what happened before `since` may have been missed."""

    since: datetime
    operation: Operation | None = None
    registered: Registered | None = None
    state: Said | None = None
    result: Said | None = None
    served: Said | None = None

    @property
    def generation(self) -> int | None:
        """Of the registration; None without one."""
        return None if self.registered is None else self.registered.generation


@dataclass(frozen=True, slots=True)
class Case:
    """All that a decision rests on: nothing else is looked at, so that the same case is always decided the same."""

    update: FirmwareUpdate
    facts: Facts
    limits: Limits
    now: datetime

    @property
    def is_secure(self) -> bool:
        """Whether the device comes by DTLS; without a registration, as it did."""
        if self.facts.registered is not None:
            return self.facts.registered.secure
        return self.update.way is not None and self.update.way.scheme == "coaps"


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The operation that waits for the device is to be taken back, where it was not sent yet."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing is to be done before something happens, or it is `until`."""

    until: datetime | None = None


Decision = Happening | Withdraw | Wait
