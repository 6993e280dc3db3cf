"""Values stored without a model, or with a wrong one, and the model that comes later."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Bucket, Stream
from harness.event_messages import EventMessage, publish, record, registered, reported
from harness.rows import projected, rows
from harness.services import ServiceProcess
from harness.waiting import until

T = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
S = timedelta(seconds=1)
Start = Callable[..., ServiceProcess]

VALUES = """
select e.name, r.stream_sequence, r.record_index, r.data_type,
    coalesce(r.value_text, r.value_integer::text, r.value_float::text, encode(r.value_bytes, 'hex'))
from {} r join endpoint e on e.id = r.endpoint_id join resource_type t on t.id = r.resource_type_id
where t.object_id = 26241 order by 1, 2, 3
"""


def ddf(kind: str, version: str = "1.0") -> bytes:
    """Object 26241 with one resource of this type."""
    return (
        "<LWM2M><Object ObjectType='MODefinition'><Name>Silo</Name><Description1/><ObjectID>26241</ObjectID>"
        f"<ObjectURN>urn:oma:lwm2m:x:26241:{version}</ObjectURN><LWM2MVersion>1.0</LWM2MVersion>"
        f"<ObjectVersion>{version}</ObjectVersion><MultipleInstances>Multiple</MultipleInstances>"
        "<Mandatory>Optional</Mandatory><Resources><Item ID='1'><Name>Fill</Name><Operations>R</Operations>"
        f"<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>{kind}</Type>"
        "<RangeEnumeration/><Units>%</Units><Description/></Item></Resources></Object></LWM2M>"
    ).encode()


def raw(endpoint: str, kind: str, value: object, at: datetime = T) -> EventMessage:
    return reported(endpoint, at, record("26241/0/1", kind, value, at))


TLV_21_5 = b64encode(b"\x41\xac\x00\x00").decode()
TLV_7 = b64encode(b"\x07").decode()


def marked(database_url: str, decoded_by: str) -> bool:
    """Whether all values of the object are decoded by these models."""
    return rows(database_url, "select decoded_by from resource_type where object_id = 26241") == [(decoded_by,)]


class Model:
    """The bucket of uploaded models, and the wait until the values follow it."""

    def __init__(self, js: JetStreamContext, database_url: str) -> None:
        self._js, self._database_url = js, database_url

    async def put(self, kind: str, version: str = "1.0") -> None:
        await (await self._js.key_value(Bucket.OBJECT_MODELS)).put(f"26241.{version}", ddf(kind, version))

    async def remove(self, version: str = "1.0") -> None:
        await (await self._js.key_value(Bucket.OBJECT_MODELS)).delete(f"26241.{version}")

    async def in_force(self, decoded_by: str) -> list[tuple[object, ...]]:
        """Type and value of each row, once they were decoded by these models; those of latest_value are the same."""

        await until(lambda: marked(self._database_url, decoded_by), 20, f"values decoded by {decoded_by!r}")
        every = rows(self._database_url, VALUES.format("resource"))
        assert set(rows(self._database_url, VALUES.format("latest_value"))) <= set(every)
        return [row[3:] for row in every]


@pytest.fixture
def model(js: JetStreamContext, database_url: str) -> Model:
    return Model(js, database_url)


async def test_each_natural_type_becomes_that_of_the_model(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    last = await publish(
        js,
        raw("tlv", "opaque", TLV_21_5),
        raw("text", "string", "21.5"),
        raw("whole", "integer", 21),
        raw("float", "float", 21.5),
        raw("word", "string", "full"),
    )
    await projected(database_url, last)

    await model.put("Float")

    # In the order of their names: what does not fit stays as it came.
    assert await model.in_force("1.0=float") == [
        ("float", "21.5"),
        ("float", "21.5"),
        ("float", "21.5"),
        ("float", "21"),
        ("string", "full"),
    ]


async def test_a_wrong_model_loses_nothing(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await publish(js, raw("tlv", "opaque", TLV_21_5)))

    await model.put("Integer")
    assert await model.in_force("1.0=integer") == [("integer", str(0x41AC0000))]
    await model.put("Float")
    assert await model.in_force("1.0=float") == [("float", "21.5")]
    await model.remove()
    assert await model.in_force("") == [("opaque", "41ac0000")]


async def test_what_came_while_a_wrong_model_was_in_force_is_not_lost_either(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    await model.put("Integer")
    by_integer = record("26241/0/1", "integer", 0x41AC0000, T)
    # The payload of a read of the instance: resource 1, four bytes.
    payload = b64encode(b"\xe4\x00\x01\x41\xac\x00\x00").decode()
    last = await publish(js, reported("tlv", T, by_integer, content_format=11542, payload=payload))
    await projected(database_url, last)
    assert await model.in_force("1.0=integer") == [("integer", str(0x41AC0000))]

    await model.put("Float")
    assert await model.in_force("1.0=float") == [("float", "21.5")]
    await model.remove()
    assert await model.in_force("") == [("opaque", "41ac0000")]


async def test_a_text_with_a_nul_is_no_bytes_of_a_number(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await publish(js, raw("word", "string", "a\0b")))

    await model.put("Integer")

    assert await model.in_force("1.0=integer") == [("string", "610062")]


async def test_each_instance_and_resource_instance_follows(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    paths = ["26241/0/1/0", "26241/0/1/1", "26241/1/1", "26241/65534/1/7"]
    await projected(
        database_url, await publish(js, reported("dev", T, *(record(path, "opaque", TLV_7, T) for path in paths)))
    )

    await model.put("Integer")

    assert await model.in_force("1.0=integer") == [("integer", "7")] * 4
    assert rows(database_url, VALUES.format("latest_value")) == rows(database_url, VALUES.format("resource"))


async def test_a_latest_value_whose_reading_is_gone_follows_too(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await publish(js, raw("tlv", "opaque", TLV_21_5)))
    with psycopg.connect(database_url) as connection:
        connection.execute("delete from resource where resource_type_id in (select resource_type_id from latest_value)")

    await model.put("Float")
    await until(lambda: marked(database_url, "1.0=float"), 20, "the mark")

    assert [row[3:] for row in rows(database_url, VALUES.format("latest_value"))] == [("float", "21.5")]


async def test_readings_in_compressed_chunks_follow(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    """On TimescaleDB; readings of three chunks, of which some do not change, and of another endpoint beside them."""
    if not rows(database_url, "select from pg_extension where extname = 'timescaledb'"):
        pytest.skip("this PostgreSQL has no TimescaleDB")
    service("flownexus_ingest")
    days = [T + timedelta(days=day, seconds=number) for day in range(3) for number in range(700)]
    many = [raw("dev", "opaque", TLV_7, at) for at in days]
    last = await publish(js, *many, raw("dev", "string", "full", T), raw("other", "opaque", TLV_21_5, T))
    await projected(database_url, last)
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert len(connection.execute("select compress_chunk(c) from show_chunks('resource') c").fetchall()) == 3

    await model.put("Integer")

    found = await model.in_force("1.0=integer")
    assert found == [("integer", "7")] * len(many) + [("string", "full"), ("integer", str(0x41AC0000))]


async def test_versions_side_by_side_are_each_used_for_the_devices_that_state_them(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    await publish(
        js,
        registered("new", T, object_versions={"26241": "1.1"}),
        registered("old", T, object_versions={"26241": "1.0"}),
    )
    await projected(database_url, await publish(js, raw("new", "opaque", TLV_7), raw("old", "opaque", TLV_7)))

    await model.put("Integer", "1.0")
    await model.put("Boolean", "1.1")
    await model.put("String", "1.1")

    assert await model.in_force("1.0=integer 1.1=string") == [("string", "\x07"), ("integer", "7")]


async def test_what_a_device_sent_is_read_by_the_version_that_it_stated_at_that_time(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    ingest = service("flownexus_ingest")
    last = await publish(
        js,
        raw("dev", "opaque", TLV_7, T),
        registered("dev", T, object_versions={"26241": "2.0"}),
        raw("dev", "opaque", TLV_7, T + S),
        registered("dev", T + 2 * S, object_versions={"26241": "1.1"}),
        raw("dev", "opaque", TLV_7, T + 2 * S),
    )
    await projected(database_url, last)
    await model.put("Integer", "1.1")
    await model.put("String", "2.0")
    decoded_by = "1.1=integer 2.0=string"
    found = await model.in_force(decoded_by)
    assert found == [("integer", "7"), ("string", "\x07"), ("integer", "7")]

    ingest.kill()
    with psycopg.connect(database_url) as connection:
        connection.execute("truncate resource, latest_value, resource_type, endpoint, stream_position cascade")
    ingest.start()
    await projected(database_url, last)
    assert await model.in_force(decoded_by) == found


async def test_a_message_that_the_database_refuses_does_not_bring_later_versions_forward(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    await model.put("Integer", "1.0")
    await model.put("String", "1.1")
    ingest = service("flownexus_ingest")
    await projected(database_url, await publish(js, registered("dev", T, object_versions={"26241": "1.0"})))
    ingest.kill()
    refused = registered("bad", T, identity="a\0b")
    last = await publish(
        js,
        raw("dev", "opaque", TLV_7, T),
        refused,
        raw("dev", "opaque", TLV_7, T + S),
        registered("dev", T + 2 * S, object_versions={"26241": "1.1"}),
        raw("dev", "opaque", TLV_7, T + 2 * S),
    )
    ingest.start()  # which has all of them in one batch
    await projected(database_url, last)

    found = await model.in_force("1.0=integer 1.1=string")
    assert found == [("integer", "7"), ("integer", "7"), ("string", "\x07")]


async def test_a_model_that_came_while_nobody_looked_is_used_at_the_next_start(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    ingest = service("flownexus_ingest")
    await projected(database_url, await publish(js, raw("tlv", "opaque", TLV_21_5)))
    ingest.kill()
    await model.put("Float")
    last = await publish(js, raw("tlv", "opaque", TLV_21_5, T + S))
    ingest.start()
    await projected(database_url, last)

    assert await model.in_force("1.0=float") == [("float", "21.5"), ("float", "21.5")]


async def test_tables_that_were_dropped_come_back_the_same_from_the_stream(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    ingest = service("flownexus_ingest")
    await publish(js, registered("dev", T, object_versions={"26241": "1.1"}))
    many = [raw("dev", "opaque", TLV_7, T + number * S) for number in range(1, 1500)]
    last = await publish(js, *many, raw("text", "string", "7.5"), raw("word", "string", "full"))
    await projected(database_url, last)
    await model.put("String", "1.0")
    await model.put("Integer", "1.1")
    before = await model.in_force("1.0=string 1.1=integer")
    assert set(before) == {("integer", "7"), ("string", "7.5"), ("string", "full")}
    assert len(before) == len(many) + 2

    ingest.kill()
    with psycopg.connect(database_url) as connection:
        connection.execute("truncate resource, latest_value, resource_type, endpoint, stream_position cascade")
    ingest.start()
    await projected(database_url, last)
    assert await model.in_force("1.0=string 1.1=integer") == before


async def test_where_the_event_is_gone_the_stored_value_is_brought_on(
    js: JetStreamContext, database_url: str, service: Start, model: Model
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await publish(js, raw("tlv", "opaque", TLV_21_5), raw("word", "string", "full")))
    await js.purge_stream(Stream.EVENTS)

    await model.put("Float")

    assert await model.in_force("1.0=float") == [("float", "21.5"), ("string", "full")]
