"""A resource's past as points of a chart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flownexus_console.api_models import Span
from flownexus_console.history import MOST_POINTS, Point, Series, as_number, bucket_for, span_to_refine

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def ms(moment: datetime) -> float:
    return moment.timestamp() * 1000


@pytest.mark.parametrize(
    ("span", "bucket"),
    [
        (timedelta(minutes=15), "5s"),
        (timedelta(hours=1), "15s"),
        (timedelta(hours=24), "5m"),
        (timedelta(days=7), "30m"),
        (timedelta(days=365), "1d"),
        (timedelta(days=365 * 20), "7d"),
    ],
)
def test_a_span_is_gathered_into_as_many_points_as_a_chart_shows(span: timedelta, bucket: str) -> None:
    seconds, name = bucket_for(span)
    assert name == bucket
    assert span.total_seconds() / seconds <= MOST_POINTS or name == "7d"


@pytest.mark.parametrize(("value", "number"), [(1, 1.0), (2.5, 2.5), (True, 1.0), (False, 0.0), (-0.0, 0.0)])
def test_numbers_and_booleans_can_be_drawn(value: object, number: float) -> None:
    assert as_number(value) == number


@pytest.mark.parametrize("value", ["NaN", "21.5", None, float("nan"), float("inf")])
def test_nothing_else_can(value: object) -> None:
    assert as_number(value) is None


def test_a_live_value_goes_to_the_end() -> None:
    series = Series()
    assert series.append(NOON, 20.5)
    assert series.append(NOON + timedelta(seconds=5), 21)
    assert [point.value for point in series.points] == [20.5, 21.0]


def test_a_live_value_that_is_there_already_is_not_drawn_twice() -> None:
    series = Series(None, [Point(ms(NOON), 20.5, 20.5, 20.5)])
    assert not series.append(NOON, 20.5)
    assert not series.append(NOON - timedelta(seconds=1), 19.0)
    assert not series.append(NOON + timedelta(seconds=1), "Infinity")
    assert len(series.points) == 1


def test_a_live_value_widens_the_band_of_the_bucket_it_falls_into() -> None:
    series = Series(300, [Point(ms(NOON), 20.0, 19.0, 21.0)])
    assert series.append(NOON + timedelta(minutes=4), 25)
    assert series.points == [Point(ms(NOON), 20.0, 19.0, 25.0)]
    assert series.append(NOON + timedelta(minutes=5), 18)
    assert [point.value for point in series.points] == [20.0, 18.0]


def test_zooming_in_asks_for_narrower_buckets_around_the_window() -> None:
    week = Span(NOON - timedelta(days=6), NOON + timedelta(days=1))
    window = Span(NOON, NOON + timedelta(hours=2))
    around = Span(NOON - timedelta(hours=1), NOON + timedelta(hours=3))
    assert span_to_refine(Series(1800), week, window) == around
    assert span_to_refine(Series(1800), week, week) is None
    assert span_to_refine(Series(None), week, window) is None


def test_a_window_beyond_what_is_shown_is_not_read() -> None:
    shown = Span(NOON, NOON + timedelta(days=7))
    before = Span(NOON - timedelta(hours=9), NOON - timedelta(hours=8))
    edge = Span(NOON - timedelta(hours=1), NOON + timedelta(hours=1))
    assert span_to_refine(Series(1800), shown, before) is None
    assert span_to_refine(Series(1800), shown, edge) == Span(NOON, NOON + timedelta(hours=2))


def test_finer_points_replace_the_coarse_ones_of_their_span() -> None:
    hours = [Point(ms(NOON + timedelta(hours=hour)), float(hour), 0, 9) for hour in range(4)]
    fine = [Point(ms(NOON + timedelta(hours=1, minutes=minute)), 1.5, 1, 2) for minute in (0, 30)]
    whole = Series(3600, hours).refined(Series(1800, fine), Span(NOON + timedelta(hours=1), NOON + timedelta(hours=2)))
    assert whole.points == [hours[0], *fine, *hours[2:]]
    assert whole.bucket_s == 3600


def test_points_leave_with_their_range() -> None:
    series = Series()
    for minute in range(3):
        series.append(NOON + timedelta(minutes=minute), minute)
    series.forget_before(NOON + timedelta(minutes=1))
    assert [point.value for point in series.points] == [1.0, 2.0]
