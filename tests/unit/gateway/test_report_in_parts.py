"""A report of more than one message holds."""

from __future__ import annotations

import base64

import pytest

from flownexus_gateway.uplink.parts import all_of, write_events
from flownexus_schemas.events import ValuesReported
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.timestamps import TimedRecord
from unit.gateway.test_report import RECEIVED_AT, report

NATS_BYTES = 1_048_576


def values(count: int, time: float = RECEIVED_AT) -> list[TimedRecord]:
    return [TimedRecord(Path.of(3303, 0, 5700), DataType.FLOAT, float(n), time - n, False) for n in range(count)]


def opaque(size: int) -> list[TimedRecord]:
    return [TimedRecord(Path.of(5, 0, 0), DataType.OPAQUE, bytes(size), RECEIVED_AT, True)]


def events(payload: bytes, records: list[TimedRecord], undecoded: str | None = None) -> list[ValuesReported]:
    written = write_events(report(payload), records, undecoded, "id-1", "/gateway/gw-1")
    assert all(len(event) < NATS_BYTES for _, event in written)
    parsed = [ValuesReported.model_validate_json(event) for _, event in written]
    assert [event.id for event in parsed] == [name for name, _ in written]
    return parsed


def test_a_report_that_one_message_holds_is_one_event() -> None:
    (event,) = events(b"1.5", values(1000))
    assert (event.id, event.data.part, event.data.parts) == ("id-1", 0, 1)


def test_each_value_is_in_one_part_and_the_payload_in_the_first() -> None:
    parts = events(b"payload", values(10_000))
    assert len(parts) > 1
    assert [event.id for event in parts] == [f"id-1-{number}" for number in range(len(parts))]
    assert [(event.data.part, event.data.parts) for event in parts] == [(n, len(parts)) for n in range(len(parts))]
    assert [record.value for event in parts for record in event.data.records] == [float(n) for n in range(10_000)]
    assert [base64.b64decode(event.data.payload) for event in parts] == [b"payload"] + [b""] * (len(parts) - 1)
    assert all(event.data.undecoded is None for event in parts)


def test_the_same_values_are_in_the_same_parts_when_they_come_again_at_another_time() -> None:
    first, again = (
        [len(event.data.records) for event in events(b"", values(10_000, time))]
        for time in (RECEIVED_AT, RECEIVED_AT + 0.123456)
    )
    assert first == again


def test_a_value_of_its_own_message_is_kept_without_the_payload_that_repeats_it() -> None:
    (event,) = events(bytes(700_000), opaque(700_000))
    assert (event.id, event.data.payload, event.data.parts) == ("id-1", "", 1)
    assert base64.b64decode(str(event.data.records[0].value)) == bytes(700_000)


@pytest.mark.parametrize(("records", "undecoded"), [(opaque(1_000_000), None), ([], "not CBOR")], ids=["value", "raw"])
def test_what_no_message_holds_is_said_and_not_kept(records: list[TimedRecord], undecoded: str | None) -> None:
    (event,) = events(bytes(1_000_000), records, undecoded)
    assert (event.data.records, event.data.payload) == ((), "")
    assert event.data.undecoded == "its 1000000 bytes are more than one message holds, and are not kept"


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ([True, True, True], [True]),
        ([True, False, True], [False]),
        ([True, True], []),
        ([False, False, False], [False]),
    ],
)
def test_a_report_is_kept_when_all_its_parts_are(told: list[bool], expected: list[bool]) -> None:
    heard: list[bool] = []
    tell = all_of(3, heard.append)
    for is_kept in told:
        tell(is_kept)
    assert heard == expected
