"""Operations as ingest keeps them: how each stands, and what happened to it."""

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
PLACE = "5/0/1"


def operation(number: int, **changes: Any) -> dict[str, Any]:
    """The data of each message, written by hand."""
    command = {
        "operation": "write",
        "endpoint": "dev:1",
        "path": PLACE,
        "values": [{"path": PLACE, "value": "https://url.com/fw.bin"}],
        "timeout_s": 30,
    }
    return {
        "id": f"op-{number}",
        "endpoint": "dev:1",
        "command": command,
        "priority": 5,
        "requested_at": T.isoformat(),
        "requested_by": "olga",
        "batch": "b-1",
        "status": "QUEUED",
        "last_action": "Requested.",
    } | changes


def attempt(number: int, at: datetime) -> dict[str, Any]:
    ends_at = (at + 40 * S).isoformat()
    return {"number": number, "sender": "ops", "gateway": "gw", "started_at": at.isoformat(), "ends_at": ends_at}


async def say(js: JetStreamContext, kind: str, at: datetime, data: dict[str, Any]) -> int:
    event = {
        "specversion": "1.0",
        "id": f"{data['id']}-{kind}-{at.isoformat()}",
        "source": "/operations/ops",
        "type": f"io.flownexus.operation.{kind}.v1",
        "subject": data["endpoint"],
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    }
    ack = await js.publish(f"lwm2m.operation.{data['endpoint']}.{data['id']}", json.dumps(event).encode())
    return ack.seq


async def story(js: JetStreamContext) -> int:
    """One operation without an answer once, then refused, with the answer that the gateway kept; and one that waits."""
    await say(js, "requested", T, operation(1))
    sent = operation(1, status="SENDING", attempts=1, attempt=attempt(1, T + S), last_action="Sent.")
    await say(js, "sending", T + S, sent)
    await say(js, "requeued", T + 2 * S, sent | {"status": "QUEUED", "last_action": "No answer."})
    again = operation(1, status="SENDING", attempts=2, attempt=attempt(2, T + 3 * S), last_action="Sent again.")
    await say(js, "sending", T + 3 * S, again)
    answer = {"code": "4.05", "diagnostic": "not\0here"}
    kept = {"operation_id": "op-1", "attempt": 2, "answer": answer, "received_at": T.isoformat()}
    await js.publish("lwm2m.operation.dev:1.op-1.answered", json.dumps(kept).encode())
    end = {"status": "FAILED", "answer": answer, "finished_at": (T + 4 * S).isoformat(), "last_action": "Refused."}
    await say(js, "failed", T + 4 * S, again | end)
    return await say(js, "requested", T, operation(2, priority=0, batch=None, requested_by=None))


OPERATIONS = """
select id, endpoint, operation_type, request -> 'values' -> 0 ->> 'value', priority, batch, status, attempts,
    max_attempts, created_at, requested_by, last_attempt_at, finished_at, last_action, code, diagnostic,
    answer ->> 'code'
from endpoint_operation order by id
"""
HISTORY = """
select operation_id, time, status, attempts, action, code, diagnostic from endpoint_operation_change
order by operation_id, stream_sequence
"""
FAILED = (
    "op-1", "dev:1", "write", "https://url.com/fw.bin", 5, "b-1", "FAILED", 2, 3, T, "olga", T + 3 * S, T + 4 * S,
    "Refused.", "4.05", "not\N{SYMBOL FOR NULL}here", "4.05",
)  # fmt: skip
QUEUED = (
    "op-2", "dev:1", "write", "https://url.com/fw.bin", 0, None, "QUEUED", 0, 3, T, None, None, None, "Requested.",
    None, None, None,
)  # fmt: skip
STEPS = [
    ("op-1", T, "QUEUED", 0, "Requested.", None, None),
    ("op-1", T + S, "SENDING", 1, "Sent.", None, None),
    ("op-1", T + 2 * S, "QUEUED", 1, "No answer.", None, None),
    ("op-1", T + 3 * S, "SENDING", 2, "Sent again.", None, None),
    ("op-1", T + 4 * S, "FAILED", 2, "Refused.", "4.05", "not\N{SYMBOL FOR NULL}here"),
    ("op-2", T, "QUEUED", 0, "Requested.", None, None),
]


async def test_an_operation_is_kept_as_it_stands_with_every_step(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await story(js), stream=Stream.OPERATIONS)
    assert rows(database_url, OPERATIONS) == [FAILED, QUEUED]
    assert rows(database_url, HISTORY) == STEPS


async def test_emptied_tables_come_back_by_a_replay(js: JetStreamContext, database_url: str, service: Start) -> None:
    ingest = service("flownexus_ingest")
    last = await story(js)
    await projected(database_url, last, stream=Stream.OPERATIONS)
    ingest.stop()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("truncate endpoint_operation, endpoint_operation_change, stream_position")
    ingest.start()
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, OPERATIONS) == [FAILED, QUEUED]
    assert rows(database_url, HISTORY) == STEPS


async def test_a_stream_made_anew_is_read_from_its_start_and_what_was_stays(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    ingest = service("flownexus_ingest")
    await projected(database_url, await story(js), stream=Stream.OPERATIONS)
    ingest.stop()
    config = (await js.stream_info(Stream.OPERATIONS)).config
    await js.delete_stream(Stream.OPERATIONS)
    await js.add_stream(config)
    last = await say(js, "cancelled", T + 9 * S, operation(2, status="CANCELLED", last_action="Cancelled by olga."))
    ingest.start()
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, "select id, status from endpoint_operation order by id") == [
        ("op-1", "FAILED"),
        ("op-2", "CANCELLED"),
    ]


async def test_what_is_no_operation_is_set_aside_and_what_follows_is_kept(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await js.publish("lwm2m.operation.dev:1.op-8", b"{}")
    await say(js, "requested", T, operation(9))
    # Its own subject is another one: whoever reads it by its subject would take it for that operation.
    stray = json.dumps({"data": operation(7)}).encode()
    await js.publish("lwm2m.operation.dev:1.op-6", stray)
    last = await say(js, "requested", T, operation(3, priority=-1000))
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, "select id from endpoint_operation order by id") == [("op-3",), ("op-9",)]
    assert (await js.stream_info(Stream.DEAD_LETTERS)).state.messages == 2
