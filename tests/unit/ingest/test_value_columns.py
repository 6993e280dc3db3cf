"""A value takes the column that can hold it."""

from __future__ import annotations

import math
from typing import Any

import pytest

from flownexus_ingest.values import ValueColumns, columns_of, value_columns, value_of
from flownexus_schemas.lwm2m.datatype import DataType


@pytest.mark.parametrize(
    ("data_type", "value", "column", "stored"),
    [
        ("string", "text", "value_text", "text"),
        ("string", "", "value_text", ""),
        ("string", "a\0b", "value_bytes", b"a\0b"),
        ("corelnk", "</3>", "value_text", "</3>"),
        ("objlnk", "65535:65535", "value_text", "65535:65535"),
        ("integer", -(2**63), "value_integer", -(2**63)),
        ("unsigned", 2**63 - 1, "value_integer", 2**63 - 1),
        ("unsigned", 2**64 - 1, "value_text", "18446744073709551615"),
        ("integer", 5.5, "value_float", 5.5),
        ("float", 5, "value_float", 5.0),
        ("float", "-Infinity", "value_float", -math.inf),
        ("boolean", True, "value_boolean", True),
        ("boolean", 0, "value_boolean", False),
        ("opaque", "3q2+7w==", "value_bytes", b"\xde\xad\xbe\xef"),
        ("opaque", "", "value_bytes", b""),
        ("time", 1767225600, "value_integer", 1767225600),
        ("time", 1767225600.5, "value_float", 1767225600.5),
    ],
)
def test_exactly_one_column_is_set(data_type: str, value: Any, column: str, stored: Any) -> None:
    columns = value_columns(DataType(data_type), value)

    assert columns == ValueColumns(**{column: stored})
    assert type(getattr(columns, column)) is type(stored)


def test_not_a_number_is_a_float() -> None:
    value = value_columns(DataType.FLOAT, "NaN").value_float
    assert value is not None
    assert math.isnan(value)


@pytest.mark.parametrize(("data_type", "value"), [("opaque", "not base64!"), ("opaque", 5), ("float", "warm")])
def test_a_value_that_is_not_of_its_type_is_refused(data_type: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r".+"):
        value_columns(DataType(data_type), value)


@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        ("string", "text"),
        ("string", "a\0b"),
        ("integer", -(2**63)),
        ("unsigned", 2**64 - 1),
        ("float", 21.5),
        ("boolean", False),
        ("opaque", b"\0\xff"),
        ("time", 1767225600.5),
        ("objlnk", "3:0"),
    ],
)
def test_the_columns_give_the_value_back(data_type: str, value: Any) -> None:
    kind = DataType(data_type)
    found = value_of(kind, columns_of(kind, value))

    assert (type(found), found) == (type(value), value)
