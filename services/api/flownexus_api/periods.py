"""Spans of time in a query."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, BeforeValidator

from flownexus_schemas.errors import InvalidRequest

DEFAULT = timedelta(days=1)
MAX_BUCKETS = 5_000
WIDEST = timedelta(days=366)

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_BUCKET = re.compile(r"([1-9][0-9]{0,8})([smhd])")
_LOST_PLUS = re.compile(r"(.*T.*) (\d\d:?\d\d)")
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def _plus(value: object) -> object:
    """A `+` that was not percent-encoded arrives as a space."""
    match = _LOST_PLUS.fullmatch(value) if isinstance(value, str) else None
    return f"{match[1]}+{match[2]}" if match else value


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("say which time zone: 2026-03-01T12:00:00Z for UTC, or an offset such as +02:00")
    if moment < EARLIEST:
        raise ValueError("a time is 1970-01-01T00:00:00Z or later")
    return moment


Moment = Annotated[datetime, BeforeValidator(_plus), AfterValidator(_aware)]
"""ISO 8601 with a zone, 1970 or later."""


class Period(NamedTuple):
    """From `start` up to, not including, `end`."""

    start: datetime
    end: datetime


def period(start: datetime | None, end: datetime | None, now: datetime) -> Period:
    """The period asked for; up to `now`, and 24 hours long, unless said otherwise. Raises InvalidRequest."""
    end = end or now
    start = start or max(EARLIEST, end - DEFAULT)
    if start >= end:
        raise InvalidRequest(f"query.from: {start.isoformat()} is not before query.to, {end.isoformat()}.")
    return Period(start, end)


def bucket_width(text: str, span: Period) -> timedelta:
    """`30s`, `5m`, `1h`, `1d` as a duration. Raises InvalidRequest: not one, or too many would be in the period."""
    match = _BUCKET.fullmatch(text)
    if match is None:
        raise InvalidRequest("query.bucket: write a number and a unit: 30s, 5m, 1h or 1d.")
    width = timedelta(**{_UNITS[match[2]]: int(match[1])})
    if width > WIDEST:
        raise InvalidRequest(f"query.bucket: {WIDEST.days}d is the widest.")
    if (span.end - span.start) / width > MAX_BUCKETS:
        least = int((span.end - span.start).total_seconds() / MAX_BUCKETS) + 1
        raise InvalidRequest(
            f"query.bucket: {text} makes more than {MAX_BUCKETS} buckets of this period; take {least}s or more."
        )
    return width
