"""Messages of the bus: what is written is read back, what is not a message is told why, defaults are the contract."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from flownexus_schemas import events
from flownexus_schemas.cloudevent import CloudEvent, utc
from flownexus_schemas.commands import CommandAnswer, command_adapter
from flownexus_schemas.dead_letters import DeadLetter
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.events import KINDS, EndpointDeregistered, ReportedRecord, parse_event, subject_of
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.profiles import DEFAULT_PROFILE, ObservationProfile
from flownexus_schemas.registrations import StoredRegistration
from flownexus_schemas.subjects import EventKind

NOW = "2026-11-22T12:00:00Z"
OBSERVATION = {"token": "0a0b", "paths": ["10300"]}
FIRMWARE = {"firmware": "0123456789abcdef", "update_id": "u-1"}
REGISTRATION = {
    "registration_id": "a1",
    "lifetime_s": 600,
    "lwm2m_version": "1.1",
    "binding": "U",
    "queue_mode": True,
    "awake_window_s": 20.0,
    "address": {"host": "192.0.2.1", "port": 5683},
    "gateway": "gw-1",
    "object_links": ["1/0", "3303/0"],
}
DATA: dict[str, dict[str, Any]] = {
    "registered": REGISTRATION,
    "updated": REGISTRATION,
    "deregistered": {"registration_id": "a1", "reason": "expired"},
    "reported": {
        "registration_id": "a1",
        "trigger": "notify",
        "composite": False,
        "observation": OBSERVATION,
        "records": [{"path": "3303/0/5700", "type": "float", "value": 24.5, "time": NOW}],
        "content_format": 112,
        "payload": "gA==",
        "received_at": NOW,
    },
    "observation": {
        "registration_id": "a1",
        "state": "refused",
        "observation": OBSERVATION,
        "composite": True,
        "code": "4.04",
    },
    "log": {"level": "warning", "text": "battery low", "time": NOW},
    "heard": {"by": "answer"},
    "overdue": {"registration_id": "a1", "last_heard_at": NOW, "expected_at": NOW, "expected_by": NOW},
    "bootstrap": {
        "session": "s1",
        "state": "failed",
        "text": "it answered 4.00 to Bootstrap-Write of /0/1",
        "code": "4.00",
        "address": {"host": "192.0.2.1", "port": 5683},
        "gateway": "gw-1",
    },
}


def message(kind: str, **changes: object) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": "gw-1-7",
        "source": "/gateway/gw-1",
        "subject": "urn:imei:1",
        "time": NOW,
        "datacontenttype": "application/json",
        "type": f"io.flownexus.lwm2m.{kind}.v1",
        "data": DATA[kind],
    } | changes


def fault(payload: bytes) -> str:
    with pytest.raises(InvalidMessage) as caught:
        parse_event(payload)
    return str(caught.value)


@pytest.mark.parametrize("kind", EventKind)
def test_event_of_each_kind_is_read_and_written_alike(kind: EventKind) -> None:
    event = parse_event(json.dumps(message(kind)).encode())
    assert KINDS[type(event)] is kind
    assert subject_of(event) == f"lwm2m.event.urn:imei:1.{kind}"
    assert parse_event(event.model_dump_json().encode()) == event


def test_every_kind_has_its_event_and_its_type() -> None:
    assert set(KINDS.values()) == set(EventKind)
    assert {event_type.model_fields["type"].default for event_type in KINDS} == {
        f"io.flownexus.lwm2m.{kind}.v1" for kind in EventKind
    }


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        (b"", "not an event: "),
        (b"\xff\xfe", "Invalid JSON"),
        (b"[" * 100_000, "Invalid JSON"),
        (b"null", "object"),
        (b"{}", "type"),
        (json.dumps(message("log", type="io.flownexus.lwm2m.log.v2")).encode(), "io.flownexus.lwm2m.log.v2"),
        (json.dumps(message("log", time="2026-11-22T12:00:00")).encode(), "log.v1.time: Input should have timezone"),
        (json.dumps(message("log", id="")).encode(), "log.v1.id: "),
        (json.dumps(message("log", data={"level": "x", "text": "y"})).encode(), "data.time: Field required"),
        (json.dumps(message("log", specversion="0.3")).encode(), "specversion"),
        (
            json.dumps(message("registered", data=REGISTRATION | {"lifetime_s": 0})).encode(),
            "data.lifetime_s: Input should be greater than 0",
        ),
        (
            json.dumps(message("deregistered", data={"registration_id": "a1", "reason": "bored"})).encode(),
            "data.reason: Input should be 'request', 'expired' or 'replaced'",
        ),
    ],
)
def test_what_is_no_event_is_told_why(payload: bytes, told: str) -> None:
    assert told in fault(payload)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text(), st.lists).map(lambda value: json.dumps(value).encode())
)
def test_any_bytes_are_an_event_or_an_invalid_message(payload: bytes) -> None:
    assert fault(payload).startswith("not an event: ")


@given(st.sampled_from(list(EventKind)), st.data())
def test_event_without_any_one_field_is_read_or_told_why(kind: EventKind, data: st.DataObject) -> None:
    whole = message(kind)
    without = data.draw(st.sampled_from(sorted(whole)))
    payload = json.dumps({name: value for name, value in whole.items() if name != without}).encode()
    if without in {"specversion", "datacontenttype"}:
        parse_event(payload)
    else:
        assert without in fault(payload)


def test_unknown_fields_break_no_reader() -> None:
    event = parse_event(json.dumps(message("log", traceparent="00-1", data=DATA["log"] | {"line": 7})).encode())
    assert isinstance(event, events.LogReported)


def test_events_are_frozen() -> None:
    event = parse_event(json.dumps(message("deregistered")).encode())
    with pytest.raises(ValidationError):
        event.id = "other"  # type: ignore[misc]


def test_registration_defaults_are_those_of_a_device_that_states_little() -> None:
    event = parse_event(json.dumps(message("registered")).encode())
    assert isinstance(event, events.EndpointRegistered)
    stated = event.data
    assert (stated.identity, stated.object_versions, stated.content_formats) == (None, {}, ())
    assert (stated.root_path, stated.links, stated.warnings) == ("/", "", ())


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("24.899181214836236", 24.899181214836236),
        ("24.0", 24.0),
        ("24", 24),
        ("true", True),
        ('"true"', "true"),
        ('"24"', "24"),
        ('"NaN"', "NaN"),
        ('"-Infinity"', "-Infinity"),
        ("18446744073709551615", 2**64 - 1),
        ("-9223372036854775808", -(2**63)),
    ],
)
def test_value_keeps_its_kind(text: str, value: object) -> None:
    record = ReportedRecord.model_validate_json(f'{{"path":"1/0/1","type":"string","time":"{NOW}","value":{text}}}')
    assert record.value == value
    assert type(record.value) is type(value)
    assert ReportedRecord.model_validate_json(record.model_dump_json()) == record


@pytest.mark.parametrize("text", ["null", "[]", "{}"])
def test_value_of_no_kind_is_refused(text: str) -> None:
    with pytest.raises(ValidationError):
        ReportedRecord.model_validate_json(f'{{"path":"1/0/1","type":"string","time":"{NOW}","value":{text}}}')


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_is_kept_to_the_last_bit(value: float) -> None:
    record = ReportedRecord(path="1/0/1", type=DataType.FLOAT, value=value, time=utc(0))
    assert ReportedRecord.model_validate_json(record.model_dump_json()).value == value


@pytest.mark.parametrize("path", ["3", "/3", "3/0", "3/0/1/2", "65535/0/0", "0"])
def test_command_takes_paths_as_lwm2m_writes_them(path: str) -> None:
    command = command_adapter.validate_python({"operation": "read", "endpoint": "a", "path": path})
    assert (command.operation, command.timeout_s, command.format) == ("read", 93.0, None)


@pytest.mark.parametrize(
    "path", ["", "/", "3/", "//3", "3/0/1/2/3", "03", "3/00", "123456", "٣/0", "3/0\n", "-1", "3.0"]
)
def test_command_refuses_what_is_no_path(path: str) -> None:
    with pytest.raises(ValidationError):
        command_adapter.validate_python({"operation": "read", "endpoint": "a", "path": path})


@pytest.mark.parametrize(
    "command",
    [
        {"operation": "write", "path": "3/0/14", "values": []},
        {"operation": "read-composite", "paths": []},
        {"operation": "write-composite", "values": []},
        {"operation": "read", "path": "3/0", "timeout_s": 0},
        {"operation": "read", "path": "3/0", "timeout_s": 10_801},
        {"operation": "write-attributes", "path": "3/0", "attributes": {"colour": 1}},
        {"operation": "reboot", "path": "3/0/4"},
        {"path": "3/0"},
        {"operation": "offer-firmware", **FIRMWARE, "scheme": "ftp", "link_lifetime_s": 60},
        {"operation": "offer-firmware", **FIRMWARE, "scheme": "coap", "link_lifetime_s": 0},
        {"operation": "offer-firmware", **FIRMWARE, "update_id": "a/b", "scheme": "coap", "link_lifetime_s": 60},
        {"operation": "push-firmware", **FIRMWARE, "token": "01", "block_size": 500},
        {"operation": "push-firmware", **FIRMWARE, "token": "0"},
        {"operation": "push-firmware", **FIRMWARE, "token": ""},
        {"operation": "push-firmware", **FIRMWARE, "token": "010203040506070809"},
        {"operation": "push-firmware", **FIRMWARE, "token": "01", "offset": -1},
    ],
)
def test_command_that_says_nothing_or_too_much_is_refused(command: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        command_adapter.validate_python({"endpoint": "a"} | command)


def test_write_keeps_what_it_does_not_name_unless_told() -> None:
    command = command_adapter.validate_python(
        {"operation": "write", "endpoint": "a", "path": "3/0", "values": [{"path": "3/0/14", "value": "+01:00"}]}
    )
    assert command.operation == "write"
    assert command.replace is False
    assert command.values[0].type is None


def test_push_begins_with_the_first_byte_in_the_largest_blocks_unless_told() -> None:
    command = command_adapter.validate_python(
        {"operation": "push-firmware", "endpoint": "a", **FIRMWARE, "token": "0a0b"}
    )
    assert command.operation == "push-firmware"
    assert (command.offset, command.block_size, command.instance) == (0, 1024, 0)


def test_answer_may_be_a_code_alone() -> None:
    answer = CommandAnswer(code="4.04")
    assert (answer.values, answer.diagnostic, answer.location, answer.links) == ((), None, None, None)


def test_default_profile_observes_temperature_and_the_environment_event() -> None:
    assert [item.path for item in DEFAULT_PROFILE.observe] == ["3303/0/5700"]
    assert [(item.paths, item.event_type) for item in DEFAULT_PROFILE.observe_composite] == [
        (("10300",), "environment")
    ]
    assert DEFAULT_PROFILE.awake_window_s == 93.0
    assert ObservationProfile.model_validate_json(DEFAULT_PROFILE.model_dump_json()) == DEFAULT_PROFILE


def test_empty_profile_observes_nothing() -> None:
    profile = ObservationProfile.model_validate_json("{}")
    assert (profile.observe, profile.observe_composite, profile.read_once) == ((), (), ())


def test_stored_registration_is_read_and_written_alike() -> None:
    stored = StoredRegistration.model_validate(
        {
            "endpoint": "urn:imei:1",
            "registration": REGISTRATION,
            "registered_at": 1000.5,
            "last_seen_at": 1001.25,
            "observations": [OBSERVATION],
        }
    )
    assert stored.observations[0].established
    assert StoredRegistration.model_validate_json(stored.model_dump_json()) == stored


def test_dead_letter_keeps_the_message_whole() -> None:
    letter = DeadLetter.model_validate(
        {
            "service": "ingest",
            "reason": "not an event",
            "stream": "LWM2M_EVENTS",
            "stream_sequence": 7,
            "subject": "lwm2m.event.a.log",
            "payload": "AP8=",
            "time": NOW,
        }
    )
    assert DeadLetter.model_validate_json(letter.model_dump_json()) == letter


def test_event_time_is_utc() -> None:
    event = EndpointDeregistered.model_validate(message("deregistered", time="2026-11-22T13:00:00+01:00"))
    assert event.time == datetime(2026, 11, 22, 12, tzinfo=UTC)
    assert isinstance(event, CloudEvent)
    assert utc(1_000_000_000.5).isoformat() == "2001-09-09T01:46:40.500000+00:00"
