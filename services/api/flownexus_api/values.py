"""Values of resources on the wire, and paths, from rows."""

from __future__ import annotations

import math
from base64 import b64encode
from typing import Any

from pydantic import Field
from sqlalchemy import Row

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.tables import LatestValue, Resource
from flownexus_schemas.tables.devices import NO_INSTANCE

WireValue = bool | int | float | str

MARKS: list[str] = Field(
    default=[],
    description="What was assumed where the device's payload was not as the specification has it: "
    + ", ".join(f"`{mark.value}`" for mark in Mark)
    + ".",
)
"""Field of a value."""

NON_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}


def value_columns(table: type[Resource] | type[LatestValue]) -> tuple[Any, ...]:
    """The columns that `wire_value` reads."""
    return (
        table.data_type,
        table.value_text,
        table.value_integer,
        table.value_float,
        table.value_boolean,
        table.value_bytes,
    )


def wire_value(row: Row[Any]) -> WireValue:
    """The value of a row as JSON has it: opaque is base64 text, time Unix seconds, NaN and the infinities texts."""
    if row.value_bytes is not None:
        if row.data_type == DataType.OPAQUE:
            return b64encode(row.value_bytes).decode()
        # Text with NUL characters, which a text column does not hold.
        return str(row.value_bytes, "utf-8", "replace")
    if row.value_text is not None:
        return _integer(row.value_text) if row.data_type in {DataType.INTEGER, DataType.UNSIGNED} else row.value_text
    if row.value_float is not None:
        return wire_number(row.value_float)
    value: WireValue = row.value_boolean if row.value_integer is None else row.value_integer
    return value


def wire_number(value: float) -> float | str:
    """A number as JSON has it."""
    if math.isfinite(value):
        return value
    return NON_FINITE.get(value, "NaN")


def _integer(text: str) -> int | str:
    """An integer beyond the 64 bits of an integer column."""
    return int(text) if text.removeprefix("-").isdecimal() and len(text) <= 40 else text


def path_text(object_id: int, object_instance_id: int, resource_id: int, resource_instance_id: int) -> str:
    """`3303/0/5700`, or `3/0/6/1` for a resource instance."""
    resource = f"{object_id}/{object_instance_id}/{resource_id}"
    return resource if resource_instance_id == NO_INSTANCE else f"{resource}/{resource_instance_id}"
