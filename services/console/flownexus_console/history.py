"""A resource's past as points to draw: as it was sent where that is few, gathered by time where it is many."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from flownexus_console.api_client import ApiClient
from flownexus_console.api_models import Bucket, Reading, Span, Value

MOST_POINTS = 400
RAW_SPAN = timedelta(hours=1)

BUCKETS = (
    (5, "5s"),
    (15, "15s"),
    (30, "30s"),
    (60, "1m"),
    (300, "5m"),
    (900, "15m"),
    (1800, "30m"),
    (3600, "1h"),
    (6 * 3600, "6h"),
    (86400, "1d"),
    (7 * 86400, "7d"),
)


@dataclass(frozen=True)
class Point:
    """One place on the line. `time` in Unix milliseconds; `low` and `high` are its band."""

    time: float
    value: float
    low: float
    high: float


@dataclass
class Series:
    """Points in ascending time; `bucket_s` is the width of each in seconds, None where they are single readings."""

    bucket_s: int | None = None
    points: list[Point] = field(default_factory=list)

    def append(self, time: datetime, value: Value) -> bool:
        """Add a reading that came live, if it is a number and newer than the last. Returns whether it did.

        One that falls into the last bucket widens its band; its average is that of the next time it is read.
        """
        number = as_number(value)
        moment = time.timestamp() * 1000
        last = self.points[-1] if self.points else None
        if number is None or (last is not None and moment <= last.time):
            return False
        if last is not None and self.bucket_s is not None and moment < last.time + self.bucket_s * 1000:
            self.points[-1] = replace(last, low=min(last.low, number), high=max(last.high, number))
        else:
            self.points.append(Point(moment, number, number, number))
        return True

    def refined(self, part: Series, span: Span) -> Series:
        """The series with the points of `part` in place of its own in the span."""
        start, end = span.start.timestamp() * 1000, span.end.timestamp() * 1000
        before = [point for point in self.points if point.time < start]
        after = [point for point in self.points if point.time >= end]
        return Series(self.bucket_s, [*before, *part.points, *after])

    def forget_before(self, time: datetime) -> None:
        """Drop points that have left the range."""
        limit = time.timestamp() * 1000
        while self.points and self.points[0].time < limit:
            self.points.pop(0)


def bucket_for(span: timedelta) -> tuple[int, str]:
    """The narrowest bucket, in seconds and as the API names it, that keeps a span within MOST_POINTS."""
    seconds = span.total_seconds()
    return next((bucket for bucket in BUCKETS if seconds / bucket[0] <= MOST_POINTS), BUCKETS[-1])


def span_to_refine(series: Series, shown: Span, window: Span) -> Span | None:
    """What to read anew for a window that was zoomed into: the window with half its width on each side, if that lies
    in the span that is shown and would come in narrower buckets than the series has; else None.
    """
    width = window.end - window.start
    span = Span(max(shown.start, window.start - width / 2), min(shown.end, window.end + width / 2))
    if series.bucket_s is None or span.start >= span.end:
        return None
    return span if bucket_for(span.end - span.start)[0] < series.bucket_s else None


def as_number(value: object) -> float | None:
    """A value as a finite number; true and false as 1 and 0; None for anything else."""
    if isinstance(value, (bool, int, float)) and math.isfinite(value):
        return float(value)
    return None


async def read(api: ApiClient, token: str, endpoint: str, path: str, span: Span) -> Series:
    """Read a span of a resource's past. Raises what ApiClient raises."""
    if span.end - span.start <= RAW_SPAN:
        page = await api.readings(token, endpoint, path, span)
        if page.next is None:
            return Series(None, _of_readings(page.items))
    seconds, name = bucket_for(span.end - span.start)
    buckets = await api.buckets(token, endpoint, path, span, name)
    return Series(seconds, _of_buckets(buckets.items))


def _of_readings(readings: Iterable[Reading]) -> list[Point]:
    points = []
    for reading in readings:
        number = as_number(reading.value)
        if number is not None:
            points.append(Point(reading.time.timestamp() * 1000, number, number, number))
    return sorted(points, key=lambda point: point.time)


def _of_buckets(buckets: Iterable[Bucket]) -> list[Point]:
    points = []
    for bucket in buckets:
        average, low, high = as_number(bucket.avg), as_number(bucket.min), as_number(bucket.max)
        if average is not None and low is not None and high is not None:
            points.append(Point(bucket.time.timestamp() * 1000, average, low, high))
    return sorted(points, key=lambda point: point.time)
