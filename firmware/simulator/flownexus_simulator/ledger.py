"""The ledgers: a JSON line for each notification, when its fate is known, and in files of their own one for each
request that a device carried out, and for each firmware image that it had. They are the proof of a drill.

`{"endpoint", "values": {path: value}, "time", "sent", "acknowledged", "outcome", "transmissions", "composite"}`; times
in Unix seconds: `time` is that of the values, as sent in SenML; `sent` and `acknowledged` may be null.

`{"endpoint", "method", "path", "payload", "code", "time"}`: `payload` in hexadecimal, without that of a block of a
package; a request that is repeated under its message id is carried out once.

`{"endpoint", "via", "size", "sha256", "version", "result", "time"}`: what a device had of a firmware image when it was
downloaded (result 0), and when it was installed (result 1) or failed; `sha256` is of the bytes that came.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from enum import StrEnum
from types import TracebackType
from typing import IO

import orjson

from flownexus_simulator.coap import Code
from flownexus_simulator.downloads import Download
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


@dataclass(frozen=True, slots=True)
class Served:
    """A request that a device carried out, at a time in Unix seconds, and the code of its answer."""

    endpoint: str
    method: Code
    path: str
    payload: bytes
    code: int
    time: float


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

    def write_download(self, endpoint: str, download: Download, time: float) -> None:
        """Append what became of a firmware image, at once."""
        line = {"endpoint": endpoint, **download._asdict(), "result": int(download.result), "time": time}
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
        self._file.flush()

    def write_served(self, served: Served) -> None:
        """Append a request that was carried out."""
        line = {
            "endpoint": served.endpoint,
            "method": served.method.name,
            "path": served.path,
            "payload": served.payload.hex(),
            "code": f"{served.code >> 5}.{served.code & 31:02}",
            "time": served.time,
        }
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))
