"""When an updated device counts as well, quiet or rebooting."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from flownexus_operations.rollouts.watching import MARGIN_S, Signs, verdict
from flownexus_schemas.rollouts.device import DeviceStatus, RolloutDevice
from flownexus_schemas.rollouts.device_lifecycle import HeardAgain, Proven, Rebooted, WentQuiet
from flownexus_schemas.rollouts.rollout import Watch
from unit.rollouts.worlds import IMAGE, NOW

WATCH = Watch(seconds=3600, more_registrations=2)
WATCHED = RolloutDevice(
    rollout="r1",
    endpoint="device-1",
    group=1,
    image=IMAGE,
    status=DeviceStatus.WATCHED,
    updated_at=NOW,
    ended_at=NOW,
)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def said(
    at: float,
    *,
    heard: float = 0,
    lifetime_s: int | None = 600,
    registered: Sequence[float] = (),
    before: int = 0,
    watch: Watch = WATCH,
    device: RolloutDevice = WATCHED,
) -> str | None:
    signs = Signs(after(heard), lifetime_s, [after(seconds) for seconds in registered])
    found = verdict(device, before, watch, signs, after(at))
    return None if found is None else type(found).__name__


def test_it_is_quiet_after_its_lifetime_and_a_margin() -> None:
    assert said(600 + MARGIN_S) is None
    assert said(600 + MARGIN_S + 1) == WentQuiet.__name__
    assert said(600 + MARGIN_S + 1, heard=2) is None
    assert said(900, heard=-100, lifetime_s=1000) is None  # its update is a sign of life too


def test_a_watch_may_say_what_quiet_is() -> None:
    watch = Watch(seconds=3600, quiet_after_s=10)
    assert said(11, watch=watch) == WentQuiet.__name__
    assert said(10, watch=watch) is None


def test_a_device_of_unknown_lifetime_is_never_quiet() -> None:
    assert said(3599, lifetime_s=None) is None
    assert said(3600, lifetime_s=None) == Proven.__name__


@pytest.mark.parametrize(
    ("before", "registered", "verdict_of"), [(0, 2, None), (0, 3, Rebooted), (5, 7, None), (5, 8, Rebooted)]
)
def test_it_reboots_when_it_registers_more_often_than_before(
    before: int, registered: int, verdict_of: type | None
) -> None:
    times = [float(second) for second in range(1, registered + 1)]
    expected = None if verdict_of is None else verdict_of.__name__
    assert said(300, heard=290, registered=times, before=before) == expected


def test_registrations_before_the_update_and_after_the_watch_are_not_counted() -> None:
    assert said(3600, heard=3599, registered=[-20, -1, 0, 3601, 3602, 3603]) == Proven.__name__


def test_registrations_are_counted_only_where_it_is_wanted() -> None:
    watch = Watch(seconds=3600, more_registrations=None)
    assert said(300, heard=290, registered=range(1, 100), watch=watch) is None


def test_an_unwatched_device_succeeded_at_once() -> None:
    assert said(0, watch=Watch(seconds=0), registered=[1, 2, 3, 4]) == Proven.__name__


def test_a_quiet_device_that_is_heard_is_watched_again() -> None:
    quiet = WATCHED.model_copy(update={"status": DeviceStatus.QUIET, "ended_at": after(700)})
    assert said(701, device=quiet) is None
    assert said(702, heard=701, device=quiet) == HeardAgain.__name__
