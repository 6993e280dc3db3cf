"""Wake-ups of endpoints, as far as the tables have them and beyond: what was learned, and the rows that follow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import orjson
from psycopg import AsyncCursor

from flownexus_schemas.cloudevent import utc
from flownexus_schemas.events import Registration
from flownexus_schemas.lwm2m.queue_mode import AWAKE_WINDOW_S
from flownexus_schemas.lwm2m.wake_ups import BURST_S, Long, WakeUps, window_s

FORECAST = ("learned", "interval_s", "expected_at", "expected_by", "lately_by", "longest_by", "overdue_at")
"""Columns of `endpoint_wake_ups` that follow from the history until `began_at`."""

_FIND = """
select name, queue_mode, awake_window_s, lifetime_s, spoke_at, began_at, learned
from endpoint left join endpoint_wake_ups on endpoint_id = endpoint.id where name = any(%s)
"""


class Manner(NamedTuple):
    """What the registration says of when an endpoint is heard, in seconds: of `WakeUps.spoke`."""

    window_s: float
    lifetime_s: float


UNKNOWN = Manner(BURST_S, float("inf"))
"""Of an endpoint whose registration is not in the stream any more."""

Sign = tuple[float, Manner | None]
"""When a device sent something by itself, Unix seconds, and its manner from then on; None: as before."""


def manner_of(registration: Registration) -> Manner:
    """Of an endpoint registered like this."""
    window = window_s(queue_mode=registration.queue_mode, awake_window_s=registration.awake_window_s)
    return Manner(window, registration.lifetime_s)


class _Known(NamedTuple):
    manner: Manner
    wake_ups: WakeUps | None


class KnownWakeUps:
    """What is remembered holds for one connection; `forget` after a transaction that was rolled back."""

    def __init__(self) -> None:
        self._known: dict[str, _Known] = {}

    def forget(self) -> None:
        """Look everything up anew."""
        self._known.clear()

    async def learn(self, cursor: AsyncCursor, endpoints: Iterable[str]) -> None:
        """Have what the tables know of these endpoints."""
        unknown = [name for name in endpoints if name not in self._known]
        if not unknown:
            return
        await cursor.execute(_FIND, [unknown])
        self._known.update({name: _read(*row) for name, *row in await cursor.fetchall()})

    def take(self, endpoint: str, signs: Sequence[Sign]) -> tuple[Any, ...] | None:
        """Learn from signs, in the order of the stream. The row of the endpoint, `began_at` and FORECAST; None where it
        stays as it is.
        """
        if not signs:
            return None
        manner, former = self._known.get(endpoint, _Known(UNKNOWN, None))
        wake_ups = former
        for at, stated in signs:
            wake_ups = WakeUps(at, at) if wake_ups is None else wake_ups.spoke(at, *manner)
            manner = stated or manner
        assert wake_ups is not None
        self._known[endpoint] = _Known(manner, wake_ups)
        if former is not None and wake_ups.began_at == former.began_at:
            return None
        return (utc(wake_ups.began_at), *_forecast(wake_ups))


def _forecast(wake_ups: WakeUps) -> tuple[Any, ...]:
    learned = {"intervals_s": wake_ups.intervals_s, "longest": [tuple(long) for long in wake_ups.longest]}
    text = orjson.dumps(learned).decode()
    forecast = wake_ups.forecast()
    if forecast is None:
        return (text, *(None,) * (len(FORECAST) - 1))
    later = (None if seconds is None else utc(wake_ups.began_at + seconds) for seconds in forecast)
    return (text, forecast.typical_s, *later)


def _read(  # noqa: PLR0917 - the columns of a row
    queue_mode: bool,
    awake_window_s: float | None,
    lifetime_s: int | None,
    spoke_at: datetime,
    began_at: datetime | None,
    learned: dict[str, Any],
) -> _Known:
    manner = UNKNOWN
    if lifetime_s is not None:
        window = window_s(queue_mode=queue_mode, awake_window_s=awake_window_s or AWAKE_WINDOW_S)
        manner = Manner(window, lifetime_s)
    if began_at is None:
        return _Known(manner, None)
    intervals_s = tuple(map(float, learned["intervals_s"]))
    longest = tuple(Long(float(ended_at), float(interval_s)) for ended_at, interval_s in learned["longest"])
    return _Known(manner, WakeUps(began_at.timestamp(), spoke_at.timestamp(), intervals_s, longest))
