"""When a device may be told to install: at once, from a moment on, or in a window that comes again. All in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from flownexus_schemas.cloudevent import Frozen

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_WEEKDAYS: tuple[Weekday, ...] = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_DAY = timedelta(days=1)

TimeOfDay = Annotated[time, Field(examples=["01:30"], description="In UTC.")]


class MaintenanceWindow(Frozen):
    """From `start` to before `end`, over midnight where `end` is earlier; on the days on which it starts."""

    start: TimeOfDay
    end: TimeOfDay
    days: tuple[Weekday, ...] = Field(default=(), max_length=7, description="Every day where empty.")

    @model_validator(mode="after")
    def _fit(self) -> Self:
        if self.start.tzinfo is not None or self.end.tzinfo is not None:
            raise ValueError("start and end are times of day in UTC, without an offset")
        if self.start == self.end:
            raise ValueError("start and end are the same: leave the window out to install at any time")
        return self

    def next(self, now: datetime) -> tuple[datetime, datetime]:
        """Start and end of the one that is open, else of the next."""
        day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - _DAY
        while True:
            start = _at(day, self.start)
            end = _at(day if self.end > self.start else day + _DAY, self.end)
            if end > now and (not self.days or _WEEKDAYS[start.weekday()] in self.days):
                return start, end
            day += _DAY


class Install(Frozen):
    """When to install what was downloaded: at once unless it says otherwise."""

    not_before: AwareDatetime | None = None
    window: MaintenanceWindow | None = None

    def next(self, now: datetime) -> tuple[datetime, datetime | None]:
        """From when until when: the time that has begun, else the next one. No end without a window."""
        earliest = now if self.not_before is None else max(now, self.not_before)
        if self.window is None:
            return earliest, None
        start, end = self.window.next(earliest)
        return max(start, earliest), end


def _at(day: datetime, when: time) -> datetime:
    return day + timedelta(hours=when.hour, minutes=when.minute, seconds=when.second, microseconds=when.microsecond)
