"""What can happen to a firmware update. Past tense, frozen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from flownexus_schemas.firmware.update import Step, Way


@dataclass(frozen=True, slots=True)
class Told:
    """What the device said of its firmware; None is what it said nothing of."""

    at: datetime
    state: int | None = None
    result: int | None = None
    package_version: str | None = None
    running_version: str | None = None
    delivery: int | None = None
    protocols: tuple[int, ...] | None = None
    transferred: int | None = None
    block_size: int | None = None
    observed: int | None = None
    begun_in: int | None = None
    singly: bool | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """An operation is asked for. `action`: a sentence, where there is more to say than what is waited for."""

    step: Step
    action: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """The operation ended with the device's answer. `moved`: the update got further by it; `spent`: it did not, and one
    try is spent; `settled`: the state that is known of the device is not changed by what it did.
    """

    told: Told
    action: str
    moved: bool = False
    spent: bool = False
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Unmet:
    """The operation ended without what it asked for. `silent`: the device gave no answer at all; `begun_in`: it may
    have got the link or the part of the image, in this registration, and one try is spent.
    """

    reason: str
    silent: bool = False
    begun_in: int | None = None


@dataclass(frozen=True, slots=True)
class Reported:
    """The device said by itself how it stands, or fetched some of the image. `moved` and `spent` as of Answered."""

    told: Told
    action: str
    moved: bool = False
    spent: bool = False


@dataclass(frozen=True, slots=True)
class WayChosen:
    """It is known how to bring the image to the device. `version`: what it runs before."""

    way: Way
    version: str | None


@dataclass(frozen=True, slots=True)
class Retried:
    """The image is brought to the device again, from `not_before` on, by `way`. `refused`: what did not work."""

    reason: str
    way: Way
    not_before: datetime
    refused: Way | None = None
    result: int | None = None


@dataclass(frozen=True, slots=True)
class Downloaded:
    """The device has the whole image, and is told to install it, not before `not_before`."""

    action: str
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class InstallAsked:
    """The device is told to install. `generation` is that of its registration now."""

    generation: int | None


@dataclass(frozen=True, slots=True)
class InstalledByItself:
    """The device installs what it downloaded without being told."""

    generation: int | None


@dataclass(frozen=True, slots=True)
class Postponed:
    """The command to install surely never went to the device: it waits for the next time."""

    reason: str


@dataclass(frozen=True, slots=True)
class CameBack:
    """The device registered again, or says that it installed."""

    action: str


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The device runs the version that was wanted."""

    version: str
    action: str


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It failed, and nothing more is tried."""

    reason: str
    version: str | None = None
    result: int | None = None


@dataclass(frozen=True, slots=True)
class CancelAsked:
    """Somebody takes it back."""

    by: str


@dataclass(frozen=True, slots=True)
class CancelTooLate:
    """The device installs already."""

    reason: str


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The device is not told anything more of it."""

    reason: str


Happening = (
    Asked
    | Answered
    | Unmet
    | Reported
    | WayChosen
    | Retried
    | Downloaded
    | InstallAsked
    | InstalledByItself
    | Postponed
    | CameBack
    | Succeeded
    | GivenUp
    | CancelAsked
    | CancelTooLate
    | Cancelled
)
