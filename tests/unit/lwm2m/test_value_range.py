"""RangeEnumeration: what registered object files write there, and what they mean by it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.record import Value
from flownexus_schemas.lwm2m.value_range import parse_range

NUMERIC = [DataType.INTEGER, DataType.UNSIGNED, DataType.FLOAT, DataType.TIME]


@pytest.mark.parametrize(
    ("text", "data_type", "allowed", "refused"),
    [
        ("1..10", DataType.INTEGER, [1, 5, 10], [0, 11, -5]),
        ("-1..1", DataType.FLOAT, [-1.0, 0.25, 1], [-1.01, 1.5, float("inf"), float("nan")]),
        ("0.000001..1.0", DataType.FLOAT, [0.000001, 1.0], [0.0, 1.1]),
        ("0-255", DataType.INTEGER, [0, 255], [256, -1]),
        ("1...15", DataType.INTEGER, [1, 15], [0, 16]),
        ("1 to 5", DataType.INTEGER, [1, 5], [0, 6]),
        ("-30..-120", DataType.INTEGER, [-30, -75, -120], [-29, -121]),
        ("0,1", DataType.INTEGER, [0, 1], [2, -1]),
        ("5, 10, 15, 20", DataType.INTEGER, [5, 20], [6, 0]),
        ("0..247, 255", DataType.INTEGER, [0, 247, 255], [248, 256]),
        ("0; 3.8..20.5", DataType.FLOAT, [0, 0.0, 3.8, 20.5], [1.0, 20.6]),
        (">=0", DataType.INTEGER, [0, 2**63 - 1], [-1]),
        (">0", DataType.FLOAT, [0.001, float("inf")], [0, -1.0]),
        ("<= 100", DataType.INTEGER, [-5, 100], [101]),
        ("<100", DataType.FLOAT, [99.9], [100.0]),
        ("0: disabled\n1: normal\n255: non_responsive", DataType.INTEGER, [0, 1, 255], [2, 254]),
        ("0..18446744073709551615", DataType.UNSIGNED, [2**64 - 1], [2**64, -1]),
        ("0..255", DataType.STRING, ["", "a" * 255], ["a" * 256, "ä" * 128]),
        ("1..64 Bytes", DataType.STRING, ["x", "x" * 64], ["", "x" * 65]),
        ("0 or 26 Bytes", DataType.STRING, ["", "x" * 26], ["x"]),
        ("64", DataType.STRING, ["", "x" * 64], ["x" * 65]),
        ("16-32-48 bytes", DataType.OPAQUE, [bytes(16), bytes(32), bytes(48)], [b"", bytes(17)]),
        ("6 bytes", DataType.OPAQUE, [bytes(6)], [bytes(7)]),
    ],
)
def test_range_separates_allowed_from_refused(
    text: str, data_type: DataType, allowed: list[Value], refused: list[Value]
) -> None:
    found = parse_range(text, data_type)
    assert found is not None
    assert [value for value in allowed if not found.allows(value)] == []
    assert [value for value in refused if found.allows(value)] == []


@pytest.mark.parametrize(
    ("text", "data_type"),
    [
        ("", DataType.INTEGER),
        ("   ", DataType.INTEGER),
        ("16-bit", DataType.INTEGER),
        ("8-Bits", DataType.INTEGER),
        ("2 bytes", DataType.INTEGER),
        ("2 Instances", DataType.INTEGER),
        ("255", DataType.INTEGER),
        ("<7 to >12.5", DataType.INTEGER),
        ("[1:4]", DataType.INTEGER),
        ("ON;OFF", DataType.FLOAT),
        ("1..10, some more", DataType.INTEGER),
        ("0: off\nand the rest", DataType.INTEGER),
        ("8 bit", DataType.OPAQUE),
        ("The possible values are those listed in the LwM2M Core Specification", DataType.STRING),
        ("0..65535", DataType.BOOLEAN),
        ("0..1", DataType.OBJLNK),
        ("0..1", DataType.CORELNK),
        ("0..1", None),
        ("9" * 5000, DataType.INTEGER),
    ],
)
def test_text_that_is_not_understood_is_no_constraint(text: str, data_type: DataType | None) -> None:
    assert parse_range(text, data_type) is None


def test_value_of_another_kind_is_refused() -> None:
    numbers, sizes = parse_range("0..9", DataType.INTEGER), parse_range("0..9", DataType.STRING)
    assert numbers is not None
    assert sizes is not None
    assert not numbers.allows("5")
    assert not sizes.allows(5)


def test_text_of_the_definition_is_kept_for_the_answer() -> None:
    found = parse_range(" 0..247, 255\n", DataType.INTEGER)
    assert found is not None
    assert found.text == "0..247, 255"


@given(st.integers(-(2**63), 2**64), st.integers(-(2**63), 2**64), st.integers(-(2**64), 2**65))
def test_span_allows_exactly_what_lies_between(first: int, second: int, value: int) -> None:
    found = parse_range(f"{first}..{second}", DataType.INTEGER)
    assert found is not None
    assert found.allows(value) == (min(first, second) <= value <= max(first, second))


@given(
    st.text(alphabet="0123456789.-+<>=,;: \nortbyes", max_size=40) | st.text(max_size=40),
    st.sampled_from([*DataType, None]),
    st.one_of(st.integers(), st.floats(), st.text(max_size=8), st.binary(max_size=8), st.booleans()),
)
def test_any_text_and_value_is_answered(text: str, data_type: DataType | None, value: Value) -> None:
    found = parse_range(text, data_type)
    if found is not None:
        assert found.allows(value) in {True, False}
