"""Events become rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from flownexus_ingest.projection import project
from flownexus_ingest.rows import Rows
from flownexus_ingest.value_types import ValueTypes
from flownexus_ingest.values import ValueColumns
from flownexus_runtime.stream_message import Message
from flownexus_schemas.lwm2m.object_model import ObjectModels
from harness.event_messages import (
    EventMessage,
    deregistered,
    event_message,
    record,
    registered,
    reported,
    updated,
)

T = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
S = timedelta(seconds=1)


def rows_of(*messages: EventMessage, first: int = 1) -> Rows:
    return project(
        [Message(first + index, m.subject, m.payload, {}, len(messages) - index) for index, m in enumerate(messages)],
        ValueTypes(ObjectModels(())),
    )


def test_a_reported_value_is_a_reading_at_the_devices_own_time() -> None:
    rows = rows_of(reported("dev", T, record("3303/0/5700", "float", 24.5, T - 10 * S)), first=7)

    (reading,) = rows.readings
    assert reading[:3] == (T - 10 * S, 7, 0)
    assert (reading.endpoint, reading.resource) == ("dev", (3303, 5700))
    assert (reading.object_instance_id, reading.resource_instance_id) == (0, -1)
    assert reading.received_at == T
    assert reading.value == ValueColumns(value_float=24.5)
    assert rows.happenings == []


def test_versions_of_objects_are_a_row_where_they_changed() -> None:
    rows = rows_of(
        registered("dev", T, object_versions={}),
        registered("dev", T, object_versions={"3": "1.1"}),
        updated("dev", T, object_versions={"3": "1.1"}),
        updated("dev", T, object_versions={"3": "1.2"}),
        registered("other", T, object_versions={"3": "1.1"}),
    )

    assert rows.versions == [("dev", 2, {"3": "1.1"}), ("dev", 4, {"3": "1.2"}), ("other", 5, {"3": "1.1"})]
    assert rows.versions_before == {"dev": {}, "other": {}}


def test_what_was_stated_after_the_point_that_the_tables_are_at_is_forgotten() -> None:
    types = ValueTypes(ObjectModels(()))
    types.state("dev", {"3": "1.1"})
    types.state("other", {"3": "1.1"})

    types.begin([("dev", {"3": "1.0"})])

    assert types.state("dev", {"3": "1.1"}) == {3: "1.0"}
    assert types.state("other", {"3": "1.1"}) == {}


def test_a_resource_instance_keeps_its_id() -> None:
    (reading,) = rows_of(reported("dev", T, record("3/0/7/2", "integer", 3700, T))).readings

    assert (reading.resource, reading.object_instance_id, reading.resource_instance_id) == ((3, 7), 0, 2)


@pytest.mark.parametrize(
    ("message", "resource_id"),
    [(registered("dev", T), 0), (deregistered("dev", T), 1), (updated("dev", T), 2)],
    ids=["registered", "unregistered", "updated"],
)
def test_a_registration_event_is_a_reading_of_object_10240(message: EventMessage, resource_id: int) -> None:
    (reading,) = rows_of(message).readings

    assert reading.resource == (10240, resource_id)
    assert reading.data_type == "time"
    assert reading.time == T
    assert reading.value == ValueColumns(value_integer=int(T.timestamp()))


def test_a_composite_report_is_one_event_at_its_newest_time() -> None:
    rows = rows_of(
        reported(
            "dev",
            T,
            record("10300/0/0", "integer", 1, T - 5 * S),
            record("3303/0/5700", "float", 20.0, T - 2 * S),
            composite=True,
            event_type="door_opened",
        )
    )

    (happening,) = rows.happenings
    assert (happening.time, happening.event_type) == (T - 2 * S, "door_opened")
    assert happening.readings == rows.readings
    assert len(rows.readings) == 2


def test_the_latest_value_is_the_newest_by_time_then_by_arrival() -> None:
    rows = rows_of(
        reported("dev", T, record("3303/0/5700", "float", 1.0, T)),
        reported("dev", T + S, record("3303/0/5700", "float", 2.0, T - S)),
        reported("dev", T + S, record("3303/0/5700", "float", 3.0, T)),
    )

    (latest,) = rows.latest.values()
    assert latest.value.value_float == 3.0
    assert len(rows.readings) == 3


def test_an_undecoded_report_is_kept_with_its_payload_and_the_device_was_seen() -> None:
    rows = rows_of(reported("dev", T, payload="3q2+7w==", undecoded="not CBOR", content_format=112))

    (undecoded,) = rows.undecoded
    assert undecoded.payload == bytes.fromhex("deadbeef")
    assert (undecoded.reason, undecoded.paths) == ("not CBOR", "3303/0/5700")
    assert rows.readings == []
    assert rows.endpoints["dev"].last_seen_at == T


def test_an_end_of_a_replaced_registration_does_not_end_the_new_one() -> None:
    change = rows_of(registered("dev", T, "new"), deregistered("dev", T + S, "old", "replaced")).endpoints["dev"]

    assert change.registered


def test_an_end_of_the_current_registration_ends_it() -> None:
    change = rows_of(registered("dev", T), deregistered("dev", T + S)).endpoints["dev"]

    assert not change.registered
    assert change.last_sequence == 2


def test_an_end_without_its_beginning_is_left_to_the_stored_row() -> None:
    change = rows_of(deregistered("dev", T, "reg7", "expired")).endpoints["dev"]

    assert change.registration is None
    assert change.ended == ["reg7"]
    assert change.last_seen_at is None


def test_a_log_line_with_nul_is_readable_text() -> None:
    message = event_message("dev", "log", T, {"level": "error", "text": "a\0b", "time": T.isoformat()})

    (line,) = rows_of(message).logs
    assert line.text == "a\N{REPLACEMENT CHARACTER}b"


def test_an_observation_is_kept_by_its_newest_state() -> None:
    def observation(state: str) -> EventMessage:
        data = {
            "registration_id": "reg1",
            "state": state,
            "observation": {"token": "01", "paths": ["3303/0", "3/0"]},
            "composite": True,
            "code": "4.04" if state == "refused" else "2.05",
            "diagnostic": None,
        }
        return event_message("dev", "observation", T, data)

    (outcome,) = rows_of(observation("established"), observation("refused")).outcomes.values()
    assert (outcome.paths, outcome.state, outcome.code, outcome.stream_sequence) == ("3303/0,3/0", "refused", "4.04", 2)


GOOD = reported("dev", T, record("3303/0/5700", "float", 1.0, T))
BAD = {
    "no JSON": GOOD._replace(payload=b"{"),
    "unknown type": event_message("dev", "exploded", T, {}),
    "another endpoint's subject": GOOD._replace(subject="lwm2m.event.other.reported"),
    "another kind's subject": GOOD._replace(subject="lwm2m.event.dev.updated"),
    "path of an object": reported("dev", T, record("3303", "float", 1.0, T)),
    "path of words": reported("dev", T, record("a/b/c", "float", 1.0, T)),
    "opaque that is not base64": reported("dev", T, record("5/0/0", "opaque", "%%", T)),
    "endless lifetime": registered("dev", T, lifetime_s=10**15),
    "no records field": event_message("dev", "reported", T, {"registration_id": "reg1"}),
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_message_is_rejected_whole_and_the_others_go_on(bad: EventMessage) -> None:
    rows = rows_of(GOOD, bad, GOOD)

    assert [rejected.message.sequence for rejected in rows.rejected] == [2]
    assert rows.rejected[0].reason
    assert [reading.stream_sequence for reading in rows.readings] == [1, 3]
    assert rows.endpoints["dev"].last_sequence == 3
    assert rows.endpoints["dev"].registration is None


def test_a_report_is_rejected_whole_where_one_of_its_records_is_bad() -> None:
    rows = rows_of(reported("dev", T, record("3/0/9", "integer", 1, T), record("3/0", "integer", 1, T)))

    assert len(rows.rejected) == 1
    assert rows.readings == []
    assert rows.endpoints == {}


def test_the_first_block_of_what_is_read_whole_waits_for_no_retry() -> None:
    first_block = "only the first block came; the whole is read by itself"
    rows = rows_of(
        reported("dev", T, payload="3q2+7w==", undecoded=first_block),
        reported("dev", T + S, payload="3q2+7w==", undecoded="not CBOR"),
    )
    assert [report.dismissed_at for report in rows.undecoded] == [T, None]
