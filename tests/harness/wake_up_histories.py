"""Moments at which devices of several habits wake up, made up: seconds from 0, in order."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

MINUTE, HOUR, DAY = 60.0, 3600.0, 86_400.0
WORKDAYS = 5

History = Callable[[Random, int], list[float]]
"""About so many moments."""


def regular(_: Random, count: int) -> list[float]:
    """Each 10 minutes, as by a lifetime of 600 s."""
    return [10 * MINUTE * number for number in range(count)]


def jittered(random: Random, count: int) -> list[float]:
    """The same, a minute earlier or later."""
    return [10 * MINUTE * number + random.uniform(-MINUTE, MINUTE) for number in range(count)]


def late(random: Random, count: int) -> list[float]:
    """An hour after the last, and what the network takes: mostly 20 s, at times minutes."""
    moments = [0.0]
    while len(moments) < count:
        moments.append(moments[-1] + HOUR + random.lognormvariate(3, 1))
    return moments


def daily(random: Random, count: int) -> list[float]:
    """At six, more or less ten minutes."""
    return [DAY * day + 6 * HOUR + random.gauss(0, 10 * MINUTE) for day in range(count)]


def twice_a_day(random: Random, count: int) -> list[float]:
    """At eight and at five."""
    hours = (8 * HOUR, 17 * HOUR)
    return [DAY * day + hour + random.gauss(0, 5 * MINUTE) for day in range(count // 2) for hour in hours]


def on_workdays(random: Random, count: int) -> list[float]:
    """At six from Monday to Friday."""
    days = (day for day in range(2 * count) if day % 7 < WORKDAYS)
    return [DAY * day + 6 * HOUR + random.gauss(0, 5 * MINUTE) for day in days][:count]


def two_rhythms(random: Random, count: int) -> list[float]:
    """A notification each 15 minutes and an Update each hour, five minutes after one."""
    notifications = [15 * MINUTE * number + random.gauss(0, 3) for number in range(count)]
    updates = [HOUR * number + 5 * MINUTE + random.gauss(0, 3) for number in range(count // 4)]
    return sorted([*notifications, *updates])


def lossy(random: Random, count: int) -> list[float]:
    """Each 10 minutes, and one in ten is lost."""
    return [10 * MINUTE * number + random.gauss(0, 3) for number in range(count) if random.random() > 0.1]


def changed(random: Random, count: int) -> list[float]:
    """Each 10 minutes, then each minute, then each 10 minutes again."""
    moments = [0.0]
    for interval in (10 * MINUTE, MINUTE, 10 * MINUTE):
        for _ in range(count // 3):
            moments.append(moments[-1] + interval + random.gauss(0, 1))
    return moments


def outages(random: Random, count: int) -> list[float]:
    """Each 10 minutes, and away for three days after each hundred."""
    moments = [10 * MINUTE * number + random.gauss(0, 3) for number in range(count)]
    return [moment + 3 * DAY * (number // 100) for number, moment in enumerate(moments)]


def at_random(random: Random, count: int) -> list[float]:
    """Half an hour in the mean, without any memory; 12 hours at the most."""
    moments = [0.0]
    while len(moments) < count:
        moments.append(moments[-1] + min(12 * HOUR, random.expovariate(1 / (HOUR / 2))))
    return moments


def a_door(random: Random, count: int) -> list[float]:
    """Opened again and again for a while, then not for hours; a message each 12 hours at the least."""
    moments = [0.0]
    while len(moments) < count:
        pause = 5 * MINUTE if random.random() < 0.8 else 5 * HOUR
        moments.append(moments[-1] + min(12 * HOUR, random.expovariate(1 / pause)))
    return moments


def by_day(random: Random, count: int) -> list[float]:
    """Each ten minutes from seven to six, as a device with a solar cell, and nothing at night."""
    moments: list[float] = []
    day = 0
    while len(moments) < 10 * count:
        moment, evening = 7 * HOUR + random.gauss(0, 15 * MINUTE), 18 * HOUR + random.gauss(0, 30 * MINUTE)
        while moment < evening:
            moments.append(DAY * day + moment)
            moment += 10 * MINUTE + random.gauss(0, 5)
        day += 1
    return moments


HISTORIES: dict[str, History] = {
    made.__name__: made
    for made in (
        regular,
        jittered,
        late,
        daily,
        twice_a_day,
        on_workdays,
        two_rhythms,
        lossy,
        changed,
        outages,
        at_random,
        a_door,
        by_day,
    )
}
