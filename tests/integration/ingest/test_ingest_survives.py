"""Ingest when messages are bad and when NATS, the database or ingest itself goes away."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import AccountInfo

from flownexus_schemas import jetstream
from flownexus_schemas.tables.upgrade import upgrade
from harness.embedded import RunningNats, RunningPostgres
from harness.event_messages import (
    EventMessage,
    deregistered,
    publish,
    record,
    registered,
    reported,
    updated,
)
from harness.rows import projected, rows
from harness.services import ServiceProcess
from harness.waiting import until

T = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
S = timedelta(seconds=1)
Start = Callable[..., ServiceProcess]


def temperatures(count: int, endpoints: int = 7, start: int = 0) -> list[EventMessage]:
    return [
        reported(f"dev-{number % endpoints}", T + number * S, record("3303/0/5700", "float", number, T + number * S))
        for number in range(start, start + count)
    ]


def shown(ingest: ServiceProcess, *lines: str) -> bool:
    """Whether /metrics has these lines, each after `flownexus_ingest_`."""
    text = httpx.get(f"{ingest.health_url}/metrics", trust_env=False).text
    return all(f"flownexus_ingest_{line}" in text for line in lines)


async def dead_letters(js: JetStreamContext) -> list[dict[str, Any]]:
    last = (await js.stream_info("LWM2M_DEAD_LETTERS")).state.last_seq
    return [
        json.loads((await js.get_msg("LWM2M_DEAD_LETTERS", sequence)).data or b"") for sequence in range(1, last + 1)
    ]


async def test_bad_messages_become_dead_letters_and_the_others_rows(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    good = temperatures(200)
    not_json = EventMessage("lwm2m.event.dev-1.reported", b"\xffnot json", "bad-1")
    # Only the database refuses this one: NUL in text.
    refused = registered("dev-2", T, identity="a\0b")
    last = await publish(js, *good[:50], not_json, *good[50:120], refused, *good[120:])
    ingest = service("flownexus_ingest")
    await projected(database_url, last)

    assert rows(database_url, "select count(*) from resource") == [(200,)]
    letters = await dead_letters(js)
    assert [letter["stream_sequence"] for letter in letters] == [51, 122]
    assert [b64decode(letter["payload"]) for letter in letters] == [not_json.payload, refused.payload]
    assert letters[0]["subject"] == not_json.subject
    assert letters[0]["headers"]["Nats-Msg-Id"] == "bad-1"
    assert letters[0]["reason"].startswith("InvalidMessage: not an event")
    assert "DataError" in letters[1]["reason"]

    wanted = ("dead_letters_total 2.0", "messages_total 202.0", "lag_messages 0.0", f"position {last}.0")
    await until(lambda: shown(ingest, *wanted), what="the metrics")


async def test_metrics_count_what_was_undecoded_and_the_dead_letters_that_are_left(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    not_json = [EventMessage("lwm2m.event.dev-1.reported", b"\xffnot json", f"bad-{number}") for number in range(2)]
    undecoded = [reported("dev-1", T + number * S, payload="wgA=", undecoded="truncated") for number in range(3)]
    last = await publish(js, *not_json, *undecoded)
    ingest = service("flownexus_ingest")
    await projected(database_url, last)
    wanted = ("undecoded_reports_total 3.0", "undecoded_waiting 3.0", "dead_letters_total 2.0", "dead_letters_kept 2.0")
    await until(lambda: shown(ingest, *wanted), what="the counts")
    await js.delete_msg("LWM2M_DEAD_LETTERS", 1)
    await publish(js, reported("dev-1", T, record("3303/0/5700", "float", 1.0, T), retry_of=last - 2))
    fewer = ("undecoded_reports_total 3.0", "undecoded_waiting 2.0", "dead_letters_total 2.0", "dead_letters_kept 1.0")
    await until(lambda: shown(ingest, *fewer), what="one of each less")


async def test_a_bad_message_too_large_for_a_letter_holds_nothing_up(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    large = EventMessage("lwm2m.event.dev-1.reported", b"\xff" * 1_000_000, "bad-1")
    service("flownexus_ingest")
    last = await publish(js, large, *temperatures(3))
    await projected(database_url, last)

    assert rows(database_url, "select count(*) from resource") == [(3,)]
    (letter,) = await dead_letters(js)
    assert (letter["payload"], letter["payload_in_stream"]) == ("", True)
    assert letter["headers"]["Nats-Msg-Id"] == "bad-1"
    kept = await js.get_msg(letter["stream"], letter["stream_sequence"])
    assert kept.data == large.payload


CONTENT = (
    "select e.name, t.object_id, t.resource_id, r.object_instance_id, r.resource_instance_id, r.time, "
    "r.stream_sequence, r.record_index, r.received_at, r.value_number, r.value_text "
    "from resource r join endpoint e on e.id = r.endpoint_id join resource_type t on t.id = r.resource_type_id "
    "order by r.stream_sequence, r.record_index"
)
STATE = (
    "select name, registered, registration_id, queue_mode, lifetime_s, object_links, first_seen_at, registered_at, "
    "last_seen_at, awake_until, expires_at, last_sequence from endpoint order by name"
)
LATEST = (
    "select e.name, t.object_id, t.resource_id, v.time, v.stream_sequence, v.value_float, v.value_integer "
    "from latest_value v join endpoint e on e.id = v.endpoint_id join resource_type t on t.id = v.resource_type_id "
    "order by 1, 2, 3"
)
EVENTS = "select time, stream_sequence, event_type from event order by 2"
LINKS = "select * from event_resource order by 2, 5"


def tables(url: str) -> list[list[tuple[Any, ...]]]:
    return [rows(url, query) for query in (CONTENT, STATE, LATEST, EVENTS, LINKS)]


def a_history() -> list[EventMessage]:
    composite = reported(
        "dev-3",
        T + 500 * S,
        record("10300/0/0", "integer", 1, T),
        record("3303/0/5700", "float", 1.5, T + S),
        composite=True,
        event_type="alarm",
    )
    return [
        registered("dev-1", T, queue_mode=True, awake_window_s=20.0),
        *temperatures(60),
        updated("dev-1", T + 70 * S, queue_mode=True, awake_window_s=30.0, lifetime_s=120),
        registered("dev-3", T + 71 * S, "a"),
        composite,
        registered("dev-3", T + 72 * S, "b"),
        deregistered("dev-3", T + 72 * S, "a", "replaced"),
        *temperatures(60, start=60),
        deregistered("dev-1", T + 200 * S),
    ]


async def test_an_empty_database_gets_the_same_rows_from_the_stream_whatever_the_batches(
    js: JetStreamContext, postgres: RunningPostgres, migrated_template: str, database_url: str, service: Start
) -> None:
    last = await publish(js, *a_history())
    service("flownexus_ingest")
    await projected(database_url, last)

    for batch in (1, 7):
        other = postgres.create_database(template=migrated_template)
        ingest = service("flownexus_ingest", FLOWNEXUS_DATABASE_URL=other, FLOWNEXUS_INGEST_BATCH=batch)
        await projected(other, last)
        ingest.stop()
        assert tables(other) == tables(database_url)


async def test_the_stream_read_again_over_its_rows_changes_nothing(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    last = await publish(js, *a_history())
    ingest = service("flownexus_ingest", FLOWNEXUS_INGEST_BATCH=10)
    await projected(database_url, last)
    ingest.stop()
    before = tables(database_url)

    rows(database_url, "delete from stream_position returning stream")
    ingest.start()
    await projected(database_url, last)

    assert tables(database_url) == before


async def test_a_kill_in_the_middle_loses_and_repeats_nothing(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    ingest = service("flownexus_ingest", FLOWNEXUS_INGEST_BATCH=20)
    last = 0
    for part in range(5):
        last = await publish(js, *temperatures(200, start=200 * part))
        ingest.kill()
        ingest.start()
    await projected(database_url, last)

    assert rows(database_url, "select count(*), count(distinct value_float) from resource") == [(1000, 1000)]


async def test_two_at_once_write_every_row_once(js: JetStreamContext, database_url: str, service: Start) -> None:
    service("flownexus_ingest", FLOWNEXUS_INGEST_BATCH=10)
    service("flownexus_ingest", FLOWNEXUS_INGEST_BATCH=10)
    last = await publish(js, *temperatures(500))
    await projected(database_url, last, timeout_s=60)

    assert rows(database_url, "select count(*), count(distinct stream_sequence) from resource") == [(500, 500)]


async def test_while_nats_is_away_it_waits_and_goes_on(
    nats_server: RunningNats, js: JetStreamContext, database_url: str, service: Start
) -> None:

    async def answered() -> AccountInfo | None:
        """nats-py calls itself connected before its subscriptions, also that of answers, are made again."""
        try:
            return await js.account_info()
        except NatsError:
            return None

    ingest = service("flownexus_ingest")
    await projected(database_url, await publish(js, *temperatures(10)))
    nats_server.kill()
    await until(lambda: not ingest.is_ready(), what="readiness to go")
    nats_server.start()
    await until(ingest.is_ready, timeout_s=20, what="readiness to come back")

    account: AccountInfo = await until(answered, what="the test's own connection")
    assert account.streams
    await projected(database_url, await publish(js, *temperatures(10, start=10)))
    assert rows(database_url, "select count(*) from resource") == [(20,)]


async def test_while_the_database_is_away_it_waits_and_nothing_is_a_dead_letter(
    postgres: RunningPostgres, js: JetStreamContext, database_url: str, service: Start
) -> None:
    ingest = service("flownexus_ingest", FLOWNEXUS_INGEST_BATCH=50)
    await projected(database_url, await publish(js, *temperatures(10)))
    postgres.kill()
    try:
        last = await publish(js, *temperatures(500, start=10))
        await until(lambda: not ingest.is_ready(), what="readiness to go")
        await until(lambda: shown(ingest, "lag_messages 500.0"), timeout_s=20, what="the lag")
    finally:
        postgres.start()
    await projected(database_url, last, timeout_s=60)

    assert rows(database_url, "select count(*) from resource") == [(510,)]
    assert await dead_letters(js) == []
    assert ingest.is_running


async def test_a_stream_made_anew_is_read_from_its_start(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    ingest = service("flownexus_ingest")
    await projected(database_url, await publish(js, registered("dev", T), *temperatures(20)))
    ingest.stop()
    await js.delete_stream("LWM2M_EVENTS")
    await jetstream.provision(js)
    last = await publish(js, registered("dev", T + 100 * S, "anew"))
    ingest.start()
    await until(
        lambda: (
            rows(database_url, "select registration_id, last_sequence from endpoint where name = 'dev'")
            == [("anew", last)]
        ),
        what="the registration in the new stream",
    )

    assert rows(database_url, "select count(*) from resource") == [(22,)]


async def test_it_starts_before_the_database_and_nats_are_there(service: Start, database_url: str) -> None:
    ingest = service(
        "flownexus_ingest",
        wait=False,
        FLOWNEXUS_NATS_URL="nats://nobody:a-word-of-the-tests@127.0.0.1:1",
        FLOWNEXUS_DATABASE_URL="postgresql://nobody:a-word-of-the-tests@127.0.0.1:1/none",
    )

    def health(route: str) -> int | None:
        try:
            return httpx.get(f"{ingest.health_url}/{route}", trust_env=False).status_code
        except httpx.TransportError:
            return None

    await until(lambda: health("healthz") == 200, what="/healthz")
    assert health("readyz") == 503
    ingest.stop()


async def test_it_waits_for_the_migrations(js: JetStreamContext, postgres: RunningPostgres, service: Start) -> None:
    url = postgres.create_database()
    ingest = service("flownexus_ingest", wait=False, FLOWNEXUS_DATABASE_URL=url)
    await until(lambda: "UndefinedTable" in ingest.log_text(), what="the first attempt")
    upgrade(url)

    await until(ingest.is_ready, timeout_s=20, what="readiness")


async def test_many_large_messages_at_once_are_taken_in_parts(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    payload = b64encode(bytes(600_000)).decode()
    last = await publish(js, *(reported("dev", T + n * S, payload=payload, undecoded="zeros") for n in range(100)))
    ingest = service("flownexus_ingest")
    await projected(database_url, last, timeout_s=60)

    assert rows(database_url, "select count(*), min(length(payload)) from undecoded_report") == [(100, 600_000)]
    assert "ingest.waiting" not in ingest.log_text()
