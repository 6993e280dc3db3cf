"""When a value was measured: the times of a payload on our clock. RFC 8428, 4.5.3."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value

FIRST_ABSOLUTE = 2**28
"""Times below are relative to now. RFC 8428, 4.5.3."""

EARLIEST = 946_684_800.0
"""2000-01-01: no device is older. Clocks that were never set count from 1970 or 1980."""

AHEAD_S = 86_400.0
"""How far ahead of ours a device's clock may be: one that runs in local time is at most 14 hours."""


class TimedRecord(NamedTuple):
    """A record with `time` in absolute Unix seconds.

    `anchored` tells that it is the time of receipt, as the device gave none that can be right.
    """

    path: Path
    type: DataType
    value: Value
    time: float
    anchored: bool
    marks: tuple[Mark, ...] = ()


def anchor(records: Iterable[Record], received_at: float) -> list[TimedRecord]:
    """Records on our clock; `received_at` in Unix seconds. Raises nothing.

    A relative time in the past is counted back from the receipt. None, a time that is not finite, before EARLIEST or
    more than AHEAD_S ahead, and a relative one in the future (nothing is measured there: it is a device's uptime)
    become that of receipt. Where the device gave a time that was not taken, the record is marked.
    """
    return [_anchored(record, received_at) for record in records]


def _anchored(record: Record, received_at: float) -> TimedRecord:
    path, kind, value, time, marks = record
    if time is None or time == 0:
        return TimedRecord(path, kind, value, received_at, True, marks)
    if math.isfinite(time):
        measured = time if time >= FIRST_ABSOLUTE else received_at + time
        if (time >= FIRST_ABSOLUTE or time < 0) and EARLIEST <= measured <= received_at + AHEAD_S:
            return TimedRecord(path, kind, value, measured, False, marks)
        if time > received_at + AHEAD_S:
            return TimedRecord(path, kind, value, received_at, True, (*marks, Mark.CLOCK_AHEAD))
    return TimedRecord(path, kind, value, received_at, True, (*marks, Mark.CLOCK_NOT_SET))
