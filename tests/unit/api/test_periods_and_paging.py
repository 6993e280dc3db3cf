"""Spans of time, buckets and cursors, as they are written in a query."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from flownexus_api.paging import cursor_of, keys_of, page_of
from flownexus_api.periods import Moment, Period, bucket_width, period
from flownexus_schemas.errors import InvalidRequest

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
DAY = Period(NOW - timedelta(days=1), NOW)
MOMENT: TypeAdapter[datetime] = TypeAdapter(Moment)


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-02T12:00:00Z",
        "2026-03-02T14:00:00+02:00",
        "2026-03-02T14:00:00 02:00",
        "2026-03-02T12:00Z",
        "1772452800",
    ],
)
def test_a_moment_has_a_zone(text: str) -> None:
    assert MOMENT.validate_python(text) == NOW


@pytest.mark.parametrize("text", ["2026-03-02T12:00:00", "2026-03-02", "noon", "1969-12-31T23:59:59Z", ""])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        MOMENT.validate_python(text)


def test_a_period_ends_now_and_is_a_day_long_unless_said() -> None:
    assert period(None, None, NOW) == DAY
    assert period(None, NOW - timedelta(days=9), NOW) == Period(NOW - timedelta(days=10), NOW - timedelta(days=9))
    assert period(NOW - timedelta(days=9), None, NOW) == Period(NOW - timedelta(days=9), NOW)
    with pytest.raises(InvalidRequest):
        period(NOW, NOW, NOW)


@pytest.mark.parametrize(
    ("text", "seconds"), [("30s", 30), ("5m", 300), ("1h", 3600), ("1d", 86_400), ("366d", 31_622_400)]
)
def test_a_bucket_is_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert bucket_width(text, DAY) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "0m", "-5m", "1.5h", "5 m", "1w", "367d", "999999999h", "10s", "٣s"])
def test_a_bucket_that_cannot_be_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"query\.bucket"):
        bucket_width(text, DAY)


@given(st.datetimes(timezones=st.just(UTC)), st.integers(0, 2**63 - 1), st.text().filter(lambda text: "\0" not in text))
def test_a_cursor_gives_back_its_keys(moment: datetime, number: int, text: str) -> None:
    try:
        cursor = cursor_of("order", moment, number, text)
    except (TypeError, UnicodeEncodeError):  # text that is no UTF-8 never was a name
        return
    assert keys_of(cursor, "order", (datetime, int, str)) == [moment, number, text]


def encoded(json: bytes) -> str:
    return base64.urlsafe_b64encode(json).decode()


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!",
        "ünï",
        encoded(b"7"),
        encoded(b"{}"),
        encoded(b"[]"),
        encoded(b'["other", "2026-03-02T12:00:00Z", 1]'),
        encoded(b'["time", 1, 1]'),
        encoded(b'["time", "2026-03-02T12:00:00Z", true]'),
        encoded(b'["time", "2026-03-02T12:00:00Z", "1"]'),
        encoded(b'["time", "2026-03-02T12:00:00Z"]'),
        "A" * 5000,
    ],
)
def test_a_cursor_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidRequest, match=r"query\.cursor"):
        keys_of(cursor, "time", (datetime, int))


def test_a_page_knows_whether_there_is_another() -> None:
    assert page_of([1, 2, 3], 2) == ([1, 2], True)
    assert page_of([1, 2], 2) == ([1, 2], False)
