"""The ledger: a JSON line for each notification, when its fate is known. It is the proof of a drill.

`{"endpoint", "values": {path: value}, "time", "sent", "acknowledged", "outcome", "transmissions", "composite"}`; times
in Unix seconds: `time` is that of the values, as sent in SenML; `sent` and `acknowledged` may be null.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import IO

import orjson

from flownexus_simulator.values import Leaves, path_text


class Outcome(StrEnum):
    """What became of a notification."""

    ACKNOWLEDGED = "acknowledged"
    UNCONFIRMED = "unconfirmed"
    TIMED_OUT = "timed_out"
    RESET = "reset"
    DROPPED = "dropped"
    UNFINISHED = "unfinished"


@dataclass(slots=True)
class Entry:
    """One notification. Times in Unix seconds."""

    endpoint: str
    leaves: Leaves
    composite: bool
    time: float
    sent: float | None = None
    acknowledged: float | None = None
    transmissions: int = 0


class Ledger:
    """Appends to a file. Raises OSError where it cannot be written."""

    def __init__(self, path: pathlib.Path) -> None:
        self._file: IO[bytes] = path.open("wb", buffering=1 << 16)

    def __enter__(self) -> Ledger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def write(self, entry: Entry, outcome: Outcome) -> None:
        """Append a notification whose fate is known."""
        line = {
            "endpoint": entry.endpoint,
            "values": {
                path_text(path): leaf.value.hex() if isinstance(leaf.value, bytes) else leaf.value
                for path, leaf in entry.leaves
            },
            "composite": entry.composite,
            "time": entry.time,
            "sent": entry.sent,
            "acknowledged": entry.acknowledged,
            "transmissions": entry.transmissions,
            "outcome": outcome,
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
