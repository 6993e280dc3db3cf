"""What ingest makes of a stream, seen in the database."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from nats.js import JetStreamContext

from harness.event_messages import (
    deregistered,
    event_message,
    publish,
    record,
    registered,
    reported,
    updated,
)
from harness.rows import projected, rows
from harness.services import ServiceProcess

T = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
S = timedelta(seconds=1)
Start = Callable[..., ServiceProcess]
BOOTSTRAP = {
    "session": "s1",
    "state": "failed",
    "text": "it answered 4.00",
    "notes": ["a note"],
    "code": "4.00",
    "credentials": ["bs-1"],
    "address": {"host": "192.0.2.1", "port": 5683},
    "gateway": "gw-1",
}


async def test_values_become_readings_with_names_and_units(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    last = await publish(
        js,
        reported("urn:imei:123456789012345", T, record("3303/0/5700", "float", 24.899181214836236, T - S)),
        reported(
            "urn:imei:123456789012345",
            T,
            record("3/0/0", "string", "Zephyr", T),
            record("3/0/7/1", "integer", 3800, T),
            record("5/0/0", "opaque", b64encode(b"\x00\xff").decode(), T),
            record("3/0/13", "time", 1767225600, T),
            record("26241/0/1", "unsigned", 2**64 - 1, T),
            record("26241/0/2", "boolean", False, T),
            record("26241/0/3", "float", "NaN", T),
        ),
    )
    await projected(database_url, last)

    found = rows(
        database_url,
        "select t.object_id, t.resource_id, t.name, t.units, r.resource_instance_id, r.data_type, "
        "coalesce(r.value_text, r.value_integer::text, r.value_float::text, r.value_boolean::text, "
        "encode(r.value_bytes, 'hex')), r.time "
        "from resource r join resource_type t on t.id = r.resource_type_id join endpoint e on e.id = r.endpoint_id "
        "where e.name = 'urn:imei:123456789012345' order by r.stream_sequence, r.record_index",
    )
    assert found == [
        (3303, 5700, "Sensor Value", None, -1, "float", "24.899181214836236", T - S),
        (3, 0, "Manufacturer", None, -1, "string", "Zephyr", T),
        (3, 7, "Power Source Voltage", "mV", 1, "integer", "3800", T),
        (5, 0, "Package", None, -1, "opaque", "00ff", T),
        (3, 13, "Current Time", None, -1, "time", "1767225600", T),
        (26241, 1, None, None, -1, "unsigned", "18446744073709551615", T),
        (26241, 2, None, None, -1, "boolean", "false", T),
        (26241, 3, None, None, -1, "float", "NaN", T),
    ]
    assert len(rows(database_url, "select from latest_value")) == 8


async def test_a_registration_is_the_row_of_its_endpoint_and_a_reading(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    now = datetime.now(UTC).replace(microsecond=0)
    last = await publish(
        js,
        registered("dev", now - 20 * S, lifetime_s=60),
        updated(
            "dev",
            now - 10 * S,
            lifetime_s=3600,
            queue_mode=True,
            awake_window_s=600.0,
            answers_asleep_within_s=82.0,
            identity="psk-1",
        ),
    )
    await projected(database_url, last)

    assert rows(
        database_url,
        "select name, status, registration_id, lifetime_s, answers_asleep_within_s, identity, address_host, "
        "object_links, object_versions, content_formats, first_seen_at, registered_at, last_seen_at, awake_until, "
        "expires_at, last_sequence from endpoint_status",
    ) == [
        (
            "dev",
            "online",
            "reg1",
            3600,
            82.0,
            "psk-1",
            "192.0.2.1",
            ["1/0", "3/0", "3303/0"],
            {"3": "1.1"},
            [112],
            now - 20 * S,
            now - 20 * S,
            now - 10 * S,
            now + 590 * S,
            now + 3590 * S,
            last,
        )
    ]
    assert rows(
        database_url,
        "select t.object_name is not null, t.resource_id, r.value_integer, r.time from resource r "
        "join resource_type t on t.id = r.resource_type_id where t.object_id = 10240 order by r.time",
    ) == [
        (True, 0, int((now - 20 * S).timestamp()), now - 20 * S),
        (True, 2, int((now - 10 * S).timestamp()), now - 10 * S),
    ]


async def test_a_report_wakes_a_queue_mode_endpoint_in_a_later_batch(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await projected(
        database_url, await publish(js, registered("dev", T, queue_mode=True, awake_window_s=20.0, lifetime_s=100))
    )
    await projected(database_url, await publish(js, reported("dev", T + 50 * S, record("3/0/9", "integer", 80, T))))

    assert rows(database_url, "select last_seen_at, awake_until, expires_at, registered from endpoint") == [
        (T + 50 * S, T + 70 * S, T + 100 * S, True)
    ]


async def test_a_late_end_of_a_replaced_registration_leaves_the_new_one(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await publish(js, registered("dev", T, "old"), registered("dev", T + S, "new")))
    await projected(database_url, await publish(js, deregistered("dev", T + 2 * S, "old", "replaced")))
    assert rows(database_url, "select registered, registration_id from endpoint") == [(True, "new")]

    await projected(database_url, await publish(js, deregistered("dev", T + 3 * S, "new", "expired")))
    assert rows(database_url, "select registered, status from endpoint_status") == [(False, "offline")]


async def test_a_composite_report_is_one_event_linked_to_its_readings(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    last = await publish(
        js,
        reported(
            "dev",
            T,
            record("10300/0/0", "integer", 1, T - 3 * S),
            record("3303/0/5700", "float", 20.5, T - S),
            composite=True,
        ),
    )
    await projected(database_url, last)

    assert rows(
        database_url,
        "select event.time, event.event_type, t.object_id, r.time, coalesce(r.value_float, r.value_integer) from event "
        "join event_resource link on (event_time, event_stream_sequence) = (event.time, event.stream_sequence) "
        "join resource r on (r.time, r.stream_sequence, r.record_index) "
        "= (resource_time, resource_stream_sequence, resource_record_index) "
        "join resource_type t on t.id = r.resource_type_id order by t.object_id",
    ) == [
        (T - S, "composite", 3303, T - S, 20.5),
        (T - S, "composite", 10300, T - 3 * S, 1.0),
    ]


async def test_observations_logs_and_undecoded_reports_are_kept(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    observation = {
        "registration_id": "reg1",
        "state": "refused",
        "observation": {"token": "01", "paths": ["3303/0/5700"]},
        "composite": False,
        "code": "4.04",
        "diagnostic": "no such sensor",
        "attributes": {"pmin": 10},
        "attributes_code": "4.00",
        "attributes_diagnostic": "3303/0/5700",
    }
    last = await publish(
        js,
        event_message("dev", "observation", T, observation),
        event_message("dev", "log", T, {"level": "error", "text": "sensor gone", "time": T.isoformat()}),
        event_message("new", "bootstrap", T, BOOTSTRAP),
        reported("dev", T, payload="3q2+7w==", undecoded="unknown content format", content_format=9999),
    )
    await projected(database_url, last)

    assert rows(database_url, "select paths, state, code, diagnostic from observation_outcome") == [
        ("3303/0/5700", "refused", "4.04", "no such sensor")
    ]
    assert rows(database_url, "select attributes, attributes_code, attributes_diagnostic from observation_outcome") == [
        ({"pmin": 10}, "4.00", "3303/0/5700")
    ]
    steps = "select endpoint, session, state, text, notes, code, credentials, address_port from bootstrap_step"
    assert rows(database_url, steps) == [
        ("new", "s1", "failed", "it answered 4.00", ["a note"], "4.00", ["bs-1"], 5683)
    ]
    assert rows(database_url, "select name from endpoint") == [("dev",)]
    assert rows(database_url, "select level, text, time from log_line") == [("error", "sensor gone", T)]
    assert rows(database_url, "select content_format, payload, reason from undecoded_report") == [
        (9999, b"\xde\xad\xbe\xef", "unknown content format")
    ]


async def test_the_latest_value_is_that_of_the_newest_time(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await publish(js, reported("dev", T, record("3303/0/5700", "float", 2.0, T))))
    await projected(
        database_url, await publish(js, reported("dev", T + S, record("3303/0/5700", "float", 1.0, T - 60 * S)))
    )
    assert rows(database_url, "select value_float, time from latest_value") == [(2.0, T)]

    await projected(database_url, await publish(js, reported("dev", T + S, record("3303/0/5700", "float", 3.0, T))))
    assert rows(database_url, "select value_float, time from latest_value") == [(3.0, T)]


async def test_a_model_that_comes_later_names_what_is_stored(
    js: JetStreamContext, database_url: str, service: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    ingest = service("flownexus_ingest", FLOWNEXUS_OBJECT_MODEL_FOLDERS=f'["{folder}"]')
    await projected(database_url, await publish(js, reported("dev", T, record("26241/0/1", "float", 1.0, T))))
    assert rows(database_url, "select object_name, name, units from resource_type") == [(None, None, None)]

    (folder / "26241.xml").write_text(
        "<LWM2M><Object ObjectType='MODefinition'><Name>Silo</Name><Description1/><ObjectID>26241</ObjectID>"
        "<ObjectURN>urn:oma:lwm2m:x:26241</ObjectURN><MultipleInstances>Multiple</MultipleInstances>"
        "<Mandatory>Optional</Mandatory><Resources><Item ID='1'><Name>Fill</Name><Operations>R</Operations>"
        "<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Float</Type>"
        "<RangeEnumeration/><Units>%</Units><Description/></Item></Resources></Object></LWM2M>"
    )
    ingest.restart()

    assert rows(database_url, "select object_name, name, units, data_type from resource_type") == [
        ("Silo", "Fill", "%", "float")
    ]
