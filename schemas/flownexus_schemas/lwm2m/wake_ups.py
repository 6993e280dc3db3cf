"""When a device will be heard next, learned from when it was. Times are Unix seconds.

A wake-up is what a device sends by itself within a while: two Updates, a notification of each observation. What is
learned are the seconds from the beginning of one to that of the next. Answers to requests are none: they come at our
time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

KEPT = 32
"""Intervals that a forecast rests on, the newest."""

ENOUGH, ENOUGH_TO_MISS = 3, 5
"""Intervals without which there is no forecast, and none by which a device is overdue."""

REMEMBERED, REMEMBERED_S = 4, 15 * 86_400.0
"""The longest intervals of the last two weeks are kept beside them: a night or a weekend is one among hundreds."""

BURST_S = 20.0
"""What a device that is not in queue mode sends within this belongs together."""

LONGEST_WAKE_UP = 3
"""Times the awake window (or BURST_S): a device that is never silent has a wake-up so often."""

ALIKE = 0.15
"""Share of an interval by which another one may differ and count as the same."""

FEW = 3
"""Intervals that came after one like the last: from so many on they say what comes now."""

OUTLIER = 4.0
"""Times the next smaller: an interval as long as that was an outage, not a habit."""

SLACK_S = 30.0


class Long(NamedTuple):
    """An interval that was one of the longest."""

    ended_at: float
    interval_s: float


class Forecast(NamedTuple):
    """Seconds from the beginning of a wake-up to that of the next.

    `typical_s` is the most likely; by `by_s` it comes nine times of ten, by `lately_s` it came each time lately, by
    `longest_s` in the last two weeks. `overdue_s`: from then on it is missed; None where too little is known for that.
    """

    typical_s: float
    by_s: float
    lately_s: float
    longest_s: float
    overdue_s: float | None


@dataclass(frozen=True, slots=True)
class WakeUps:
    """What is kept of an endpoint: when its last wake-up began, when it last sent anything by itself, and the seconds
    between wake-ups, to the millisecond: the newest, the oldest of them first, and the longest.
    """

    began_at: float
    spoke_at: float
    intervals_s: tuple[float, ...] = ()
    longest: tuple[Long, ...] = ()

    def spoke(self, at: float, window_s: float, lifetime_s: float) -> WakeUps:
        """It sent something by itself. What is no later than what is known changes nothing.

        `window_s`: how long it may be silent within one wake-up. `lifetime_s`: of its registration until now; an
        interval above it was an outage, and is not remembered as one of the longest.
        """
        if at <= self.spoke_at:
            return self
        if at - self.spoke_at <= window_s and at - self.began_at <= LONGEST_WAKE_UP * window_s:
            return replace(self, spoke_at=at)
        interval_s = round(at - self.began_at, 3)
        remembered = [long for long in self.longest if long.ended_at > at - REMEMBERED_S]
        if interval_s <= lifetime_s:
            remembered.append(Long(at, interval_s))
            remembered.sort(key=lambda long: -long.interval_s)
        return WakeUps(at, at, (*self.intervals_s, interval_s)[-KEPT:], tuple(remembered[:REMEMBERED]))

    def forecast(self) -> Forecast | None:
        """When it will be heard next; None while too little is known.

        What followed an interval like the last one says more than all of them: so a device that reports in the morning
        and in the evening is understood, and one that changes its rhythm after a few wake-ups. It is missed when it is
        later than it ever was, by a margin that grows with how late it is at times.
        """
        if len(self.intervals_s) < ENOUGH:
            return None
        last = self.intervals_s[-1]
        ordered = sorted(self.intervals_s)
        habit = [interval for interval in ordered if interval <= OUTLIER * ordered[-2]]
        followed = sorted(
            later
            for earlier, later in pairwise(self.intervals_s)
            if abs(earlier - last) <= ALIKE * last and later <= habit[-1]
        )
        likely = followed if len(followed) >= FEW else habit
        typical_s, lately_s = quantile(likely, 0.5), habit[-1]
        # The longest but one: what happened once is no habit.
        longest_s = max(lately_s, self.longest[1].interval_s if len(self.longest) > 1 else 0.0)
        margin_s = max(typical_s / 2, lately_s - typical_s, ALIKE * longest_s) + SLACK_S
        overdue_s = longest_s + margin_s if len(self.intervals_s) >= ENOUGH_TO_MISS else None
        return Forecast(typical_s, quantile(likely, 0.9), lately_s, longest_s, overdue_s)


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value that `share` of the values, which are in order, do not exceed."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def window_s(*, queue_mode: bool, awake_window_s: float) -> float:
    """How long a device may be silent within one wake-up."""
    return awake_window_s if queue_mode else BURST_S
