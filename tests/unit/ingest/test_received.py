"""A value as it came, from the payload of a report that a gateway decoded by a model."""

from __future__ import annotations

import math
from base64 import b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from flownexus_ingest.received import as_received
from flownexus_schemas.events import Report
from flownexus_schemas.lwm2m.path import Path
from harness.event_messages import record, report

T = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TEXT, OPAQUE, TLV, SENML_CBOR = 0, 42, 11542, 112
FLOAT_TLV = b"\xe4\x00\x01\x41\xac\x00\x00"  # resource 1: four bytes
TWO_TLV = FLOAT_TLV + b"\xe1\x00\x02\x01"  # and resource 2: one byte
MULTIPLE_TLV = b"\x86\x01\x41\x00\x07\x41\x01\x08"  # resource 1 with instances 0 and 1, one byte each
INSTANCE_TLV = b"\x07\x03" + FLOAT_TLV  # object instance 3 around resource 1


def received(payload: bytes, content_format: int | None, *records: tuple[str, str, Any]) -> list[tuple[str, Any]]:
    """Type and value of each record as it came."""
    written = [record(path, kind, value, T) for path, kind, value in records]
    parsed = Report.model_validate(
        report(T, written, payload=b64encode(payload).decode(), content_format=content_format)
    )
    found = [as_received(parsed, index, Path.parse(path)) for index, (path, _, _) in enumerate(records)]
    return [(kind.value, value) for kind, value in found]


@pytest.mark.parametrize(
    ("payload", "records", "values"),
    [
        (FLOAT_TLV, [("26241/0/1", "integer", 1102839808)], [b"\x41\xac\x00\x00"]),
        (FLOAT_TLV, [("26241/7/1", "integer", 1102839808)], [b"\x41\xac\x00\x00"]),
        (TWO_TLV, [("26241/0/1", "float", 21.5), ("26241/0/2", "boolean", True)], [b"\x41\xac\x00\x00", b"\x01"]),
        (MULTIPLE_TLV, [("26241/0/1/0", "integer", 7), ("26241/0/1/1", "integer", 8)], [b"\x07", b"\x08"]),
        (b"\x41\x01\x08", [("26241/0/1/1", "integer", 8)], [b"\x08"]),
        (INSTANCE_TLV, [("26241/3/1", "float", 21.5)], [b"\x41\xac\x00\x00"]),
    ],
)
def test_tlv_is_bytes_at_whatever_depth_was_asked_for(
    payload: bytes, records: list[tuple[str, str, Any]], values: list[bytes]
) -> None:
    assert received(payload, TLV, *records) == [("opaque", value) for value in values]


def test_text_is_text() -> None:
    assert received(b"0021", TEXT, ("26241/0/1", "integer", 21)) == [("string", "0021")]


def test_opaque_is_bytes() -> None:
    assert received(b"abc", OPAQUE, ("26241/0/1", "string", "abc")) == [("opaque", b"abc")]


def test_a_format_that_states_types_is_left_as_the_event_has_it() -> None:
    assert received(b"\x80", SENML_CBOR, ("26241/0/1", "integer", 21)) == [("integer", 21)]


@pytest.mark.parametrize(
    ("payload", "content_format"),
    [(b"\xff", TLV), (FLOAT_TLV, TLV), (TWO_TLV, TLV), (b"", TLV), (FLOAT_TLV, None), (b"\xff\xfe", TEXT)],
)
def test_a_payload_that_does_not_give_the_same_paths_is_left_as_the_event_has_it(
    payload: bytes, content_format: int | None
) -> None:
    assert received(payload, content_format, ("26241/0/5", "integer", 21)) == [("integer", 21)]


def test_values_have_the_types_of_the_program_and_not_of_the_bus() -> None:
    records = [("26241/0/1", "float", "Infinity"), ("26241/0/2", "float", 5), ("26241/0/3", "opaque", "AQI=")]
    assert received(b"", SENML_CBOR, *records) == [("float", math.inf), ("float", 5.0), ("opaque", b"\x01\x02")]
