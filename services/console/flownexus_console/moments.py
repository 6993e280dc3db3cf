"""Times as text, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def second(moment: datetime) -> str:
    """To the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def minute(moment: datetime | None) -> str:
    """To the minute; `never` where there is none."""
    return "never" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
