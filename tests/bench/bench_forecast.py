"""How well the next wake-up of a device is foretold: `python tests/bench/bench_forecast.py [--wake-ups N --seeds N]`.

Made-up histories of several habits, gone through from their beginning: before each wake-up, what was learned until then
is asked for the next one. Ours and what else was tried; prints JSON, by habit and method:

- `error`, `error_p90`: seconds from forecast to truth, as a share of the habit's median interval; median, nine of ten
- `heard_by`: share that came by the time given for nine of ten
- `falsely_missed`: of 1,000 wake-ups, those that came after the device had counted as overdue
- `missed_after`: after how many median intervals a device that fell silent is overdue; median
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path
from random import Random
from statistics import median
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from flownexus_schemas.lwm2m.wake_ups import ENOUGH_TO_MISS, SLACK_S, WakeUps, quantile
from harness.wake_up_histories import HISTORIES

LIFETIME_S = 86_400.0
TOLERANCE_S = 1.0
CLOSE = 0.1
AT_MOST = 200


class Foretold(NamedTuple):
    """Seconds from the last wake-up: the most likely, that of nine of ten, and when it is missed."""

    typical_s: float
    by_s: float
    overdue_s: float


Rule = Callable[[Sequence[float]], Foretold]
"""What the last 64 intervals say."""

Follower = Callable[[float], Foretold | None]
"""Takes the next moment; what is foretold then."""


def ours() -> Follower:
    """As the tables have it."""
    known: WakeUps | None = None

    def follow(moment: float) -> Foretold | None:
        nonlocal known
        known = WakeUps(moment, moment) if known is None else known.spoke(moment, 0.0, LIFETIME_S)
        found = known.forecast()
        if found is None or found.overdue_s is None:
            return None
        return Foretold(found.typical_s, found.by_s, found.overdue_s)

    return follow


def following(rule: Rule) -> Callable[[], Follower]:
    """A rule over intervals alone."""

    def begin() -> Follower:
        intervals: list[float] = []
        before: float | None = None

        def follow(moment: float) -> Foretold | None:
            nonlocal before
            if before is not None:
                intervals.append(moment - before)
            before = moment
            return rule(intervals[-64:]) if len(intervals) >= ENOUGH_TO_MISS else None

        return follow

    return begin


def last(intervals: Sequence[float]) -> Foretold:
    """As the last time."""
    return Foretold(intervals[-1], 1.5 * intervals[-1], 3 * intervals[-1])


def smoothed(intervals: Sequence[float]) -> Foretold:
    """Mean and deviation as TCP has them for its round trips. RFC 6298."""
    mean, deviation = intervals[0], intervals[0] / 2
    for interval in intervals[1:]:
        deviation = 0.75 * deviation + 0.25 * abs(mean - interval)
        mean = 0.875 * mean + 0.125 * interval
    return Foretold(mean, mean + 2 * deviation, mean + 4 * deviation + SLACK_S)


def decaying(intervals: Sequence[float]) -> Foretold:
    """Median and 90th percentile that move a step towards each interval: two numbers to keep."""
    middle = high = intervals[0]
    for interval in intervals[1:]:
        middle *= 1.05 if interval > middle else 0.95
        high *= 1.09 if interval > high else 0.99
    return Foretold(middle, max(middle, high), 1.5 * max(middle, high) + SLACK_S)


def median_of(count: int) -> Rule:
    """Of the last so many."""

    def rule(intervals: Sequence[float]) -> Foretold:
        ordered = sorted(intervals[-count:])
        middle = quantile(ordered, 0.5)
        overdue = ordered[-1] + max(middle / 2, ordered[-1] - middle) + SLACK_S
        return Foretold(middle, quantile(ordered, 0.9), overdue)

    return rule


METHODS: dict[str, Callable[[], Follower]] = {
    "ours": ours,
    "last": following(last),
    "smoothed": following(smoothed),
    "decaying": following(decaying),
    "median_8": following(median_of(8)),
    "median_32": following(median_of(32)),
}


def measured(method: Callable[[], Follower], histories: Sequence[Sequence[float]]) -> dict[str, float]:
    """One method over histories of one habit."""
    errors, heard_by, falsely_missed, missed_after = [], 0, 0, []
    for moments in histories:
        usual = median(later - earlier for earlier, later in pairwise(moments))
        follow = method()
        for moment, truth_at in pairwise(moments):
            foretold, truth = follow(moment), truth_at - moment
            if foretold is None:
                continue
            errors.append(abs(foretold.typical_s - truth) / usual)
            heard_by += truth <= foretold.by_s + TOLERANCE_S
            falsely_missed += truth > foretold.overdue_s
            missed_after.append(foretold.overdue_s / usual)
    errors.sort()
    return {
        "error": round(quantile(errors, 0.5), 3),
        "error_p90": round(quantile(errors, 0.9), 3),
        "heard_by": round(heard_by / len(errors), 3),
        "falsely_missed": round(1000 * falsely_missed / len(errors), 1),
        "missed_after": round(median(missed_after), 1),
    }


def until_it_follows(method: Callable[[], Follower], before_s: float, after_s: float) -> int:
    """Wake-ups after a change of the interval until the forecast is within a tenth of it."""
    follow, moment = method(), 0.0
    for _ in range(AT_MOST):
        moment += before_s
        follow(moment)
    for count in range(1, AT_MOST):
        moment += after_s
        foretold = follow(moment)
        if foretold is not None and abs(foretold.typical_s - after_s) <= CLOSE * after_s:
            return count
    return AT_MOST


def cost_us() -> float:
    """Of taking in a wake-up and making its forecast, all places filled."""
    known, started = WakeUps(0.0, 0.0), time.perf_counter()
    for number in range(1, 20_001):
        known = known.spoke(600.0 * number + number % 7, 20.0, LIFETIME_S)
        known.forecast()
    return round(1e6 * (time.perf_counter() - started) / 20_000, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wake-ups", type=int, default=600, help="of each history")
    parser.add_argument("--seeds", type=int, default=3, help="histories of each habit")
    given = parser.parse_args()
    habits = {
        name: [made(Random(seed), given.wake_ups) for seed in range(given.seeds)] for name, made in HISTORIES.items()
    }
    result = {
        "habits": {
            habit: {name: measured(method, histories) for name, method in METHODS.items()}
            for habit, histories in habits.items()
        },
        "wake_ups_until_it_follows": {
            name: {"600 to 60 s": until_it_follows(method, 600, 60), "60 to 600 s": until_it_follows(method, 60, 600)}
            for name, method in METHODS.items()
        },
        "us_a_wake_up": cost_us(),
    }
    print(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
