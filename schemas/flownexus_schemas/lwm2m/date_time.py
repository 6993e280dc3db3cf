"""Dates with times as text, the other form of a time in CBOR. LwM2M Core 1.1.1, appendix C.2; RFC 3339."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_DATE_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?"  # date and time
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})?"  # offset
)


def unix_seconds(text: str) -> int | float:
    """`2013-03-21T20:04:00Z` in Unix seconds; in UTC where the offset is left out. Raises ValueError."""
    if not _DATE_TIME.fullmatch(text):
        raise ValueError("not a date and time as in RFC 3339")
    moment = datetime.fromisoformat(text.upper())
    seconds = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    return int(seconds) if seconds.is_integer() else seconds
