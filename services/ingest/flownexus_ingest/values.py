"""A value on the bus as the value columns of a row."""

from __future__ import annotations

from base64 import b64decode
from typing import NamedTuple

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.record import Value

INT64_MAX = 2**63 - 1
INT64_MIN = -(2**63)


class ValueColumns(NamedTuple):
    """Exactly one is set."""

    value_text: str | None = None
    value_integer: int | None = None
    value_float: float | None = None
    value_boolean: bool | None = None
    value_bytes: bytes | None = None


def value_columns(data_type: DataType, value: bool | int | float | str) -> ValueColumns:
    """The columns of a `ReportedRecord`'s value.

    What PostgreSQL cannot hold goes where it can: an integer beyond 64 bits as decimal text, text with NUL characters
    as bytes. A float may come as the text `NaN`, `Infinity` or `-Infinity`, which JSON has no numbers for.
    Raises ValueError: opaque that is not base64, float text that is no number.
    """
    match data_type:
        case DataType.FLOAT:
            return ValueColumns(value_float=float(value))
        case DataType.OPAQUE:
            if not isinstance(value, str):
                raise ValueError(f"opaque is base64 text, not {value!r}")
            return ValueColumns(value_bytes=b64decode(value, validate=True))
        case DataType.BOOLEAN if not isinstance(value, str) and value in (0, 1):
            return ValueColumns(value_boolean=bool(value))
        case _:
            return _as_it_is(value)


def columns_of(data_type: DataType, value: Value) -> ValueColumns:
    """The columns of a value that is not in the form of the bus: bytes are bytes."""
    return ValueColumns(value_bytes=value) if isinstance(value, bytes) else value_columns(data_type, value)


def value_of(data_type: DataType, columns: ValueColumns) -> Value:
    """The inverse of `columns_of`."""
    value: Value = next(part for part in columns if part is not None)
    if isinstance(value, bytes) and data_type is not DataType.OPAQUE:
        return value.decode()
    if isinstance(value, str) and data_type in (DataType.INTEGER, DataType.UNSIGNED, DataType.TIME):
        return int(value)
    return value


def _as_it_is(value: bool | int | float | str) -> ValueColumns:
    if isinstance(value, bool):
        return ValueColumns(value_boolean=value)
    if isinstance(value, int):
        if INT64_MIN <= value <= INT64_MAX:
            return ValueColumns(value_integer=value)
        return ValueColumns(value_text=str(value))
    if isinstance(value, float):
        return ValueColumns(value_float=value)
    if "\0" in value:
        return ValueColumns(value_bytes=value.encode())
    return ValueColumns(value_text=value)
