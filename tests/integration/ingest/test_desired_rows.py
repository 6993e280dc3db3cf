"""Desired values as ingest keeps them: each endpoint as its last message has it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Stream
from harness.rows import projected, rows
from harness.services import ServiceProcess

T = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
S = timedelta(seconds=1)
Start = Callable[..., ServiceProcess]

ALL = """
select endpoint, path, attribute, type, desired, profile, state, since, reported, reported_at, checked_at, code, reason
from desired_value order by endpoint, path, attribute
"""


def value(path: str, **changes: Any) -> dict[str, Any]:
    """A desired value, written by hand."""
    return {
        "path": path,
        "attribute": None,
        "desired": 600,
        "type": "integer",
        "digest": "00",
        "profile": None,
        "state": "pending",
        "since": T.isoformat(),
    } | changes


async def say(js: JetStreamContext, endpoint: str, *resources: dict[str, Any], subject: str | None = None) -> int:
    event = {
        "specversion": "1.0",
        "id": "desired",
        "source": "/operations/ops",
        "type": "io.flownexus.desired.changed.v1",
        "subject": endpoint,
        "time": T.isoformat(),
        "datacontenttype": "application/json",
        "data": {"endpoint": endpoint, "wish": "00", "resources": resources},
    }
    ack = await js.publish(subject or f"lwm2m.desired.{endpoint}", json.dumps(event).encode())
    return ack.seq


HELD = value(
    "1/0/1",
    state="in-sync",
    reported=600,
    reported_at=(T + S).isoformat(),
    checked_at=(T + 2 * S).isoformat(),
    profile="fleet",
)
REFUSED = value("3/0/15", desired="Europe/Vi\0enna", type="string", state="refused", code="4.05", reason="not\0now")
PMIN = value("3303", attribute="pmin", desired=60.0, type=None)
NO_GT = value("3303", attribute="gt", desired=None, type=None)
NUL = "\N{SYMBOL FOR NULL}"

ROWS = [
    ("dev:1", "1/0/1", "", "integer", 600, "fleet", "in-sync", T, 600, T + S, T + 2 * S, None, None),
    ("dev:1", "3/0/15", "", "string", f"Europe/Vi{NUL}enna", None, "refused", T, None, None, None, "4.05",
     f"not{NUL}now"),
    ("dev:1", "3303", "gt", None, None, None, "pending", T, None, None, None, None, None),
    ("dev:1", "3303", "pmin", None, 60.0, None, "pending", T, None, None, None, None, None),
]  # fmt: skip


async def test_an_endpoint_is_kept_as_its_last_message_has_it_and_what_is_desired_no_more_goes(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await say(js, "dev:2", value("1/0/1"))
    last = await say(js, "dev:1", value("1/0/1"), value("1/0/9"))
    await projected(database_url, last, stream=Stream.OPERATIONS)
    last = await say(js, "dev:1", HELD, REFUSED, PMIN, NO_GT)
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, ALL)[:-1] == ROWS
    assert rows(database_url, ALL)[-1][:7] == ("dev:2", "1/0/1", "", "integer", 600, None, "pending")

    last = await say(js, "dev:1")
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert [row[0] for row in rows(database_url, ALL)] == ["dev:2"]


async def test_emptied_it_comes_back_by_a_replay_in_one_batch(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    ingest = service("flownexus_ingest")
    await say(js, "dev:1", value("1/0/9"))
    last = await say(js, "dev:1", HELD, REFUSED, PMIN, NO_GT)
    await projected(database_url, last, stream=Stream.OPERATIONS)
    ingest.stop()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("truncate desired_value, stream_position")
    ingest.start()
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, ALL) == ROWS


async def test_a_stream_made_anew_takes_the_place_of_what_was(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    ingest = service("flownexus_ingest")
    await projected(database_url, await say(js, "dev:1", value("1/0/9")), stream=Stream.OPERATIONS)
    ingest.stop()
    config = (await js.stream_info(Stream.OPERATIONS)).config
    await js.delete_stream(Stream.OPERATIONS)
    await js.add_stream(config)
    await say(js, "dev:1", value("1/0/9"), HELD)
    last = await say(js, "dev:1", HELD, REFUSED, PMIN, NO_GT)
    ingest.start()
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, ALL) == ROWS


async def test_what_is_no_such_message_is_set_aside_and_what_follows_is_kept(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await js.publish("lwm2m.desired.dev:1", b"{}")
    await say(js, "dev:3", HELD, subject="lwm2m.desired.dev:1")
    last = await say(js, "dev:1", HELD, REFUSED, PMIN, NO_GT)
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, ALL) == ROWS
    assert (await js.stream_info(Stream.DEAD_LETTERS)).state.messages == 2
