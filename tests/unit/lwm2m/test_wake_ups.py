"""Wake-ups of devices, and when the next one comes."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.wake_ups import (
    BURST_S,
    KEPT,
    REMEMBERED,
    REMEMBERED_S,
    SLACK_S,
    Forecast,
    WakeUps,
    window_s,
)
from harness.wake_up_histories import DAY, HISTORIES, HOUR, MINUTE, twice_a_day

T = 1_790_000_000.0
WINDOW_S, LIFETIME_S = 20.0, DAY


def after(moments: Iterable[float], window: float = WINDOW_S, lifetime: float = LIFETIME_S) -> WakeUps:
    known: WakeUps | None = None
    for moment in moments:
        known = WakeUps(moment, moment) if known is None else known.spoke(moment, window, lifetime)
    assert known is not None
    return known


def each(interval: float, count: int, start: float = T) -> list[float]:
    """The first is one interval after the start."""
    return [start + interval * number for number in range(1, count + 1)]


def found(known: WakeUps) -> Forecast:
    forecast = known.forecast()
    assert forecast is not None
    return forecast


def test_what_comes_within_the_window_is_one_wake_up() -> None:
    known = after([T, T + 0.4, T + 15, T + 600, T + 600.5, T + 1200])
    assert known == WakeUps(T + 1200, T + 1200, (600.0, 600.0), known.longest)


def test_a_device_that_is_never_silent_has_a_wake_up_each_three_windows() -> None:
    known = after(each(10, 100))
    assert set(known.intervals_s) == {3 * WINDOW_S + 10}
    assert known.spoke_at == T + 1000


def test_the_window_is_that_of_queue_mode_or_a_short_one() -> None:
    assert window_s(queue_mode=True, awake_window_s=93.0) == 93.0
    assert window_s(queue_mode=False, awake_window_s=93.0) == BURST_S


@pytest.mark.parametrize(("intervals", "known", "missed"), [(2, False, False), (3, True, False), (5, True, True)])
def test_little_history_says_little(intervals: int, known: bool, missed: bool) -> None:
    forecast = after(each(600, intervals + 1)).forecast()
    assert (forecast is not None) is known
    assert (forecast is not None and forecast.overdue_s is not None) is missed


def test_a_regular_device_is_missed_half_an_interval_late() -> None:
    assert found(after(each(600, 40))) == Forecast(600, 600, 600, 600, 900 + SLACK_S)


def test_one_that_reports_in_the_morning_and_in_the_evening_is_understood() -> None:
    moments = twice_a_day(Random(1), 60)
    morning, evening = moments[-2], moments[-1]
    assert abs(found(after(moments[:-1])).typical_s - (evening - morning)) < HOUR / 2
    assert abs(found(after(moments)).typical_s - 15 * HOUR) < HOUR / 2


@pytest.mark.parametrize(("before", "later"), [(600.0, 60.0), (60.0, 600.0)])
def test_a_changed_rhythm_is_followed_after_four_wake_ups(before: float, later: float) -> None:
    moments = each(before, 100)
    moments += each(later, 4, start=moments[-1])
    assert found(after(moments)).typical_s == later


def test_an_outage_is_no_habit() -> None:
    moments = each(600, 50)
    moments += each(600, 10, start=moments[-1] + 3 * DAY)
    assert found(after(moments)) == Forecast(600, 600, 600, 600, 900 + SLACK_S)
    twice = [*moments, *each(600, 10, start=moments[-1] + 3 * DAY)]
    assert found(after(twice)).longest_s > DAY  # both are among the newest
    twice += each(600, KEPT, start=twice[-1])
    assert found(after(twice)).longest_s == 600  # above the lifetime: not remembered
    assert found(after(twice, lifetime=7 * DAY)).longest_s > DAY


def test_nights_are_remembered_among_hundreds_of_wake_ups_by_day_and_forgotten_after_two_weeks() -> None:
    moments: list[float] = []
    for day in range(3):
        moments += each(5 * MINUTE, 120, start=T + DAY * day)
    evening = found(after(moments))
    assert (evening.typical_s, evening.lately_s, evening.longest_s) == (300, 300, 14 * HOUR + 300)
    assert evening.overdue_s is not None
    assert evening.overdue_s > 14 * HOUR + 300
    days = int(REMEMBERED_S // 300) + 10
    assert found(after([*moments, *each(300, days, start=moments[-1])])).longest_s == 300


def test_what_is_no_later_changes_nothing() -> None:
    known = after(each(600, 10))
    assert known.spoke(known.spoke_at, WINDOW_S, LIFETIME_S) is known
    assert known.spoke(T, WINDOW_S, LIFETIME_S) is known


@given(st.lists(st.floats(0.001, 10 * DAY), min_size=1, max_size=100), st.floats(0.1, 1000), st.floats(1, 1e9))
def test_a_forecast_is_of_what_was_and_in_order(pauses: list[float], window: float, lifetime: float) -> None:
    moments = [T]
    for pause in pauses:
        moments.append(moments[-1] + pause)
    known = after(moments, window, lifetime)
    assert len(known.intervals_s) <= KEPT
    assert len(known.longest) <= REMEMBERED
    assert known.began_at <= known.spoke_at == moments[-1]
    forecast = known.forecast()
    if forecast is None:
        return
    assert forecast.typical_s in known.intervals_s
    assert forecast.typical_s <= forecast.by_s <= forecast.lately_s <= forecast.longest_s
    assert forecast.overdue_s is None or forecast.overdue_s >= forecast.longest_s + SLACK_S


@pytest.mark.parametrize("habit", HISTORIES)
def test_devices_of_every_habit_are_seldom_missed_falsely(habit: str) -> None:
    moments = HISTORIES[habit](Random(7), 600)
    known, missed = WakeUps(moments[0], moments[0]), 0
    for earlier, later in pairwise(moments):
        forecast = known.forecast()
        missed += bool(forecast and forecast.overdue_s and later - earlier > forecast.overdue_s)
        known = known.spoke(later, 0.0, LIFETIME_S)
    away = 5 if habit == "outages" else 0
    assert missed - away <= len(moments) / 100
