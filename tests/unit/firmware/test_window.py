"""Maintenance windows, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flownexus_schemas.firmware.window import Install, MaintenanceWindow

FRIDAY = datetime(2026, 11, 27, tzinfo=UTC)
NIGHT = MaintenanceWindow(start=time(23), end=time(2))
MORNING = MaintenanceWindow(start=time(1, 30), end=time(4))


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return FRIDAY + timedelta(days=day, hours=hour, minutes=minute)


@pytest.mark.parametrize(
    ("window", "now", "start", "end"),
    [
        (MORNING, at(0, 0), at(0, 1, 30), at(0, 4)),
        (MORNING, at(0, 1, 30), at(0, 1, 30), at(0, 4)),
        (MORNING, at(0, 4), at(1, 1, 30), at(1, 4)),
        (NIGHT, at(0, 1), at(-1, 23), at(0, 2)),
        (NIGHT, at(0, 2), at(0, 23), at(1, 2)),
        (NIGHT, at(0, 23, 30), at(0, 23), at(1, 2)),
        (NIGHT.model_copy(update={"days": ("friday",)}), at(1, 1), at(0, 23), at(1, 2)),
        (NIGHT.model_copy(update={"days": ("friday",)}), at(1, 2), at(7, 23), at(8, 2)),
        (MORNING.model_copy(update={"days": ("thursday", "sunday")}), at(0, 2), at(2, 1, 30), at(2, 4)),
    ],
)
def test_the_open_window_or_the_next(window: MaintenanceWindow, now: datetime, start: datetime, end: datetime) -> None:
    assert window.next(now) == (start, end)
    assert window.next(now.astimezone(timezone(timedelta(hours=5)))) == (start, end)


def test_at_once_from_a_moment_on_and_in_the_window_after_it() -> None:
    assert Install().next(at(0, 5)) == (at(0, 5), None)
    assert Install(not_before=at(1, 0)).next(at(0, 5)) == (at(1, 0), None)
    assert Install(not_before=at(1, 2), window=MORNING).next(at(0, 0)) == (at(1, 2), at(1, 4))
    assert Install(not_before=at(1, 5), window=MORNING).next(at(0, 0)) == (at(2, 1, 30), at(2, 4))


@pytest.mark.parametrize("fields", [{"start": "01:00", "end": "01:00"}, {"start": "01:00Z", "end": "02:00"}])
def test_what_is_no_window_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        MaintenanceWindow.model_validate(fields)


@given(st.times(), st.times(), st.integers(0, 10**9))
def test_the_next_window_is_never_over_and_begins_within_a_day(start: time, end: time, seconds: int) -> None:
    now = FRIDAY + timedelta(seconds=seconds)
    if start == end:
        return
    opens, closes = MaintenanceWindow(start=start, end=end).next(now)
    assert opens < closes
    assert closes > now
    assert opens - now <= timedelta(days=1)
