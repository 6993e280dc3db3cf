"""Whether an updated device is well: heard as it should be, and not registering more than before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from flownexus_schemas.rollouts.device import DeviceStatus, RolloutDevice
from flownexus_schemas.rollouts.device_lifecycle import HeardAgain, Proven, Rebooted, WentQuiet
from flownexus_schemas.rollouts.rollout import Watch

MARGIN_S = 30.0
"""After the end of a lifetime: a device that updates at its very end is on its way."""

Verdict = Proven | WentQuiet | HeardAgain | Rebooted


@dataclass(frozen=True, slots=True)
class Signs:
    """What was heard of a device. `lifetime_s`: of its last registration; None where it never said one."""

    last_heard: datetime
    lifetime_s: int | None
    registrations: Sequence[datetime] = ()

    def registrations_between(self, start: datetime, end: datetime) -> int:
        """How often it registered after `start`, and up to `end`."""
        return sum(start < when <= end for when in self.registrations)


def verdict(device: RolloutDevice, before: int, watch: Watch, signs: Signs, now: datetime) -> Verdict | None:
    """What is to be said of a device that is watched or quiet; None for nothing new.

    `before`: how often it registered in as much time before the rollout.
    """
    updated_at = device.updated_at
    if updated_at is None:
        return None
    if device.status is DeviceStatus.QUIET:
        return HeardAgain() if device.ended_at is not None and signs.last_heard > device.ended_at else None
    if watch.seconds == 0:
        return Proven("It runs the image; it is not watched.")
    ends_at = updated_at + timedelta(seconds=watch.seconds)
    if watch.more_registrations is not None:
        after = signs.registrations_between(updated_at, ends_at)
        if after > before + watch.more_registrations:
            return Rebooted(f"It registered {after} times since its update, {before} times in as long before.")
    if (silent := quiet_for(updated_at, watch, signs, now)) is not None:
        return WentQuiet(f"It was not heard for {_words(silent)} after its update.")
    return Proven(f"It was well for {_words(timedelta(seconds=watch.seconds))}.") if now >= ends_at else None


def quiet_for(updated_at: datetime, watch: Watch, signs: Signs, now: datetime) -> timedelta | None:
    """For how long an updated device is silent, where that is too long."""
    if watch.quiet_after_s is not None:
        allowed = float(watch.quiet_after_s)
    elif signs.lifetime_s is not None:
        allowed = signs.lifetime_s + MARGIN_S
    else:
        return None
    silent = now - max(signs.last_heard, updated_at)
    return silent if silent > timedelta(seconds=allowed) else None


def _words(span: timedelta) -> str:
    seconds = round(span.total_seconds())
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds // unit} {name}"
    return f"{seconds} seconds"
