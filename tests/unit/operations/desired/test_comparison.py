"""Whether what a device has is what is desired."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_operations.desired.comparison import attributes_at, is_equal, is_whole, shown
from flownexus_schemas.commands import JsonValue
from flownexus_schemas.desired.standing import MAX_SHOWN
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import Path


@pytest.mark.parametrize(
    ("desired", "reported", "type_", "same"),
    [
        (600, 600, DataType.INTEGER, True),
        (600, 600.0, DataType.INTEGER, True),
        (600, 601, DataType.INTEGER, False),
        (2**53 + 1, float(2**53), DataType.INTEGER, False),
        (True, True, DataType.BOOLEAN, True),
        (True, 1, DataType.BOOLEAN, False),
        (1, True, DataType.INTEGER, False),
        (21.3, 21.299999237060547, DataType.FLOAT, True),
        (21.3, 21.31, DataType.FLOAT, False),
        (21, 21.0, DataType.FLOAT, True),
        (1e300, 1e300, DataType.FLOAT, True),
        (1e300, 1.0, DataType.FLOAT, False),
        (1.0, "NaN", DataType.FLOAT, False),
        ("U", "U", DataType.STRING, True),
        ("U", "UQ", DataType.STRING, False),
        ("_-8=", "/+8=", DataType.OPAQUE, True),
        ("AAE=", "AAI=", DataType.OPAQUE, False),
        ("3303:0", "3303:0", DataType.OBJLNK, True),
        (60.0, 60.0, None, True),
        (None, None, None, True),
        (None, 60.0, None, False),
        (60.0, None, None, False),
        (0, None, DataType.INTEGER, False),
    ],
)
def test_values_are_compared_by_their_type(
    desired: JsonValue | None, reported: JsonValue | None, type_: DataType | None, same: bool
) -> None:
    assert is_equal(desired, reported, type_) is same


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_device_that_keeps_a_float_in_32_bits_has_it(value: float) -> None:
    try:
        kept = struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        kept = value
    assert is_equal(value, kept, DataType.FLOAT)


@given(st.integers(-(2**63), 2**64), st.integers(-(2**63), 2**64))
def test_integers_are_equal_only_where_they_are_the_same(desired: int, reported: int) -> None:
    assert is_equal(desired, reported, DataType.INTEGER) is (desired == reported)


@given(st.text(max_size=2 * MAX_SHOWN))
def test_what_is_shown_is_short_and_says_whether_it_is_all(text: str) -> None:
    assert len(str(shown(text))) <= MAX_SHOWN
    if is_whole(shown(text)):
        assert shown(text) == text


@pytest.mark.parametrize(
    ("links", "root", "found"),
    [
        ("</3303/0/5700>;pmin=60;pmax=600,</3303/0/5701>;pmin=1", "/", {"pmin": 60.0, "pmax": 600.0}),
        ('</3303/0/5700>;pmin="60"', "/", {"pmin": 60.0}),
        ("</lwm2m/3303/0/5700>;gt=-0.5", "/lwm2m", {"gt": -0.5}),
        ("</3303/0/5700>;pmin", "/", {}),
        ("</3303/0/57000>;pmin=60", "/", {}),
        ("not links", "/", {}),
        ("", "/", {}),
    ],
)
def test_attributes_are_those_at_the_path_itself(links: str, root: str, found: dict[str, float]) -> None:
    assert attributes_at(links, root, Path.parse("3303/0/5700")) == found
