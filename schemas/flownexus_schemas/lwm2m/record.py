"""One value at one path at one time: what every content format decodes to and encodes from."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.path import Path

Value = str | int | float | bool | bytes
"""The Python type of each data type:

string, corelnk -> str; integer, unsigned -> int; float -> float; boolean -> bool; opaque -> bytes;
time -> int or float, Unix seconds; objlnk -> str, `<object id>:<object instance id>`, `65535:65535` is the null link.
"""


class Record(NamedTuple):
    """A decoded value.

    `path` has depth 3, or 4 for an instance of a multiple-instance resource.
    `time` is in Unix seconds as the payload gives it, None where it gives none. SenML times below 2**28 are
    relative to the moment of receipt (RFC 8428, 4.5.3) and may be negative: `timestamps.anchor` makes them absolute.
    `marks` say what was assumed.
    """

    path: Path
    type: DataType
    value: Value
    time: float | None = None
    marks: tuple[Mark, ...] = ()
