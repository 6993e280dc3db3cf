"""The times of a payload on our clock."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.timestamps import AHEAD_S, EARLIEST, FIRST_ABSOLUTE, TimedRecord, anchor

NOW = 1_790_000_000.0


def timed(time: float | None) -> tuple[float, bool]:
    (record,) = anchor([Record(Path(3303, 0, 5700), DataType.FLOAT, 21.5, time)], NOW)
    assert record[:3] == (Path(3303, 0, 5700), DataType.FLOAT, 21.5)
    return record.time, record.anchored


def marked(time: float | None) -> tuple[Mark, ...]:
    (record,) = anchor([Record(Path(3303, 0, 5700), DataType.FLOAT, 21.5, time, (Mark.NUMBER_AS_TEXT,))], NOW)
    assert record.marks[0] == Mark.NUMBER_AS_TEXT
    return record.marks[1:]


@pytest.mark.parametrize("time", [None, 0.0, NOW, -5.0])
def test_a_time_that_is_taken_or_not_given_is_not_marked(time: float | None) -> None:
    assert marked(time) == ()


@pytest.mark.parametrize(
    ("time", "mark"),
    [
        (1.0, Mark.CLOCK_NOT_SET),
        (FIRST_ABSOLUTE - 1.0, Mark.CLOCK_NOT_SET),
        (315_964_800.0, Mark.CLOCK_NOT_SET),
        (-(2.0**40), Mark.CLOCK_NOT_SET),
        (math.nan, Mark.CLOCK_NOT_SET),
        (NOW + AHEAD_S + 1, Mark.CLOCK_AHEAD),
    ],
)
def test_a_time_that_is_not_taken_is_marked_with_the_reason(time: float, mark: Mark) -> None:
    assert marked(time) == (mark,)


def test_a_value_without_a_time_gets_that_of_receipt() -> None:
    assert timed(None) == (NOW, True)


@pytest.mark.parametrize("time", [NOW, NOW - 0.25, NOW - 30 * 86400, EARLIEST, NOW + AHEAD_S])
def test_an_absolute_time_is_kept(time: float) -> None:
    assert timed(time) == (time, False)


@pytest.mark.parametrize("ago_s", [0.5, 5.0, 86400.0, 2.0**27])
def test_a_relative_time_is_counted_back_from_receipt(ago_s: float) -> None:
    assert timed(-ago_s) == (NOW - ago_s, False)


@pytest.mark.parametrize("time", [0.0, -0.0])
def test_now_is_the_time_of_receipt(time: float) -> None:
    assert timed(time) == (NOW, True)


@pytest.mark.parametrize("time", [1.0, 3600.0, FIRST_ABSOLUTE - 1.0])
def test_seconds_since_the_device_started_are_no_time(time: float) -> None:
    assert timed(time) == (NOW, True)


@pytest.mark.parametrize("time", [float(FIRST_ABSOLUTE), 315_964_800.0, EARLIEST - 1.0])
def test_a_clock_that_was_never_set_is_not_believed(time: float) -> None:
    assert timed(time) == (NOW, True)


@pytest.mark.parametrize("time", [NOW + AHEAD_S + 1, NOW * 1000, 2.0**63, 1e308])
def test_a_clock_far_ahead_is_not_believed(time: float) -> None:
    assert timed(time) == (NOW, True)


@pytest.mark.parametrize("time", [math.nan, math.inf, -math.inf, -1e308, -(2.0**40)])
def test_what_is_no_time_becomes_that_of_receipt(time: float) -> None:
    assert timed(time) == (NOW, True)


def test_records_keep_their_order() -> None:
    records = [
        Record(Path(3, 0, 9), DataType.INTEGER, value, time) for value, time in [(1, -2.0), (2, None), (3, -9.0)]
    ]
    assert anchor(iter(records), NOW) == [
        TimedRecord(Path(3, 0, 9), DataType.INTEGER, 1, NOW - 2, False),
        TimedRecord(Path(3, 0, 9), DataType.INTEGER, 2, NOW, True),
        TimedRecord(Path(3, 0, 9), DataType.INTEGER, 3, NOW - 9, False),
    ]


@given(st.none() | st.floats())
def test_every_time_ends_up_between_2000_and_tomorrow(time: float | None) -> None:
    when, anchored = timed(time)
    assert EARLIEST <= when <= NOW + AHEAD_S
    assert when == NOW or not anchored
