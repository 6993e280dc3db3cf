"""Rollouts as ingest keeps them: how each stands, its devices, and what happened."""

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
IMAGE = {"id": "0a" * 8, "name": "thermo\0meter", "version": "2.0", "size": 1000, "sha256": "ab" * 32}
PLAN = {
    "rollout": "r1",
    "images": [IMAGE],
    "groups": [[{"endpoint": "dev:2"}], [{"endpoint": "a.b"}, {"endpoint": "dev:1"}]],
    "left_out": [{"reason": "It runs 2.0 already.", "endpoints": ["dev:9", "dev:8"]}],
}


def rollout(**changes: Any) -> dict[str, Any]:
    return {
        "id": "r1",
        "name": "thermometers",
        "image": IMAGE,
        "groups": [{"size": 1}, {"size": 2}],
        "requested_at": T.isoformat(),
        "requested_by": "olga",
    } | changes


def device(endpoint: str, **changes: Any) -> dict[str, Any]:
    return {"rollout": "r1", "endpoint": endpoint, "group": 1, "image": IMAGE, "attempt": 1, "update": "u1"} | changes


async def say(js: JetStreamContext, place: str, kind: str, at: datetime, data: dict[str, Any]) -> int:
    event = {
        "specversion": "1.0",
        "id": f"{place}-{kind}-{at.isoformat()}",
        "source": "/operations/ops",
        "type": f"io.flownexus.{kind}.v1",
        "subject": data.get("endpoint", "r1"),
        "time": at.isoformat(),
        "data": data,
    }
    return (await js.publish(f"lwm2m.rollout.r1.{place}", json.dumps(event).encode())).seq


async def story(js: JetStreamContext) -> int:
    """A rollout of three devices whose first fails, so that it halts."""
    await say(js, "plan", "rollout.planned", T, PLAN)
    await say(js, "state", "rollout.requested", T, rollout())
    begun = {"status": "UPDATING", "begun_at": (T + S).isoformat(), "last_action": "Its update was asked for."}
    await say(js, "device.dev:2", "rollout-device.begun", T + S, device("dev:2", **begun))
    failed = begun | {
        "status": "FAILED",
        "ended_at": (T + 2 * S).isoformat(),
        "last_action": "No.",
        "version_before": "1.0",
    }
    await say(js, "device.dev:2", "rollout-device.failed", T + 2 * S, device("dev:2", **failed))
    await say(
        js, "device.a%2Eb", "rollout-device.postponed", T + 2 * S, device("a.b", group=2, last_action="It waits.")
    )
    halted = rollout(status="HALTED", last_action="Halted: one failed.")
    return await say(js, "state", "rollout.halted", T + 3 * S, halted)


ROLLOUTS = """
select id, name, status, firmware_id, firmware_name, version, state -> 'groups' -> 1 ->> 'size', rollback_of,
    created_at, requested_by, finished_at, last_action
from rollout
"""
DEVICES = """
select endpoint, place, group_number, status, firmware_id, version, attempt, update_id, begun_at, ended_at,
    version_before, last_action
from rollout_device where rollout_id = 'r1' order by place
"""
HISTORY = "select rollout_id, time, endpoint, status, action from rollout_change order by stream_sequence"
NAME = "thermo\N{SYMBOL FOR NULL}meter"
HALTED = ("r1", "thermometers", "HALTED", "0a" * 8, NAME, "2.0", "2", None, T, "olga", None, "Halted: one failed.")
WAITS = "It waits for its group."
STAND = [
    ("dev:2", 1, 1, "FAILED", "0a" * 8, "2.0", 1, "u1", T + S, T + 2 * S, "1.0", "No."),
    ("a.b", 2, 2, "WAITING", "0a" * 8, "2.0", 1, "u1", None, None, None, "It waits."),
    ("dev:1", 3, 2, "WAITING", "0a" * 8, "2.0", 0, None, None, None, None, WAITS),
    ("dev:9", 4, 0, "LEFT_OUT", None, None, 0, None, None, None, None, "It runs 2.0 already."),
    ("dev:8", 5, 0, "LEFT_OUT", None, None, 0, None, None, None, None, "It runs 2.0 already."),
]
STEPS = [
    ("r1", T, None, "RUNNING", "Requested."),
    ("r1", T + S, "dev:2", "UPDATING", "Its update was asked for."),
    ("r1", T + 2 * S, "dev:2", "FAILED", "No."),
    ("r1", T + 2 * S, "a.b", "WAITING", "It waits."),
    ("r1", T + 3 * S, None, "HALTED", "Halted: one failed."),
]


async def test_a_rollout_is_kept_as_it_stands_with_its_devices_and_every_step(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await projected(database_url, await story(js), stream=Stream.OPERATIONS)
    assert rows(database_url, ROLLOUTS) == [HALTED]
    assert rows(database_url, DEVICES) == STAND
    assert rows(database_url, HISTORY) == STEPS


async def test_emptied_tables_of_rollouts_come_back_by_a_replay(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    ingest = service("flownexus_ingest")
    last = await story(js)
    await projected(database_url, last, stream=Stream.OPERATIONS)
    ingest.stop()
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("truncate rollout, rollout_device, rollout_change, stream_position")
    ingest.start()
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, ROLLOUTS) == [HALTED]
    assert rows(database_url, DEVICES) == STAND
    assert rows(database_url, HISTORY) == STEPS


async def test_what_is_no_message_of_its_rollout_is_set_aside_and_what_follows_is_kept(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    await js.publish("lwm2m.rollout.r1.state", b"{}")
    await say(js, "device.dev:1", "rollout-device.begun", T, device("dev:2"))
    await say(js, "state", "rollout.requested", T, rollout(id="r2"))
    last = await say(js, "state", "rollout.requested", T, rollout())
    await projected(database_url, last, stream=Stream.OPERATIONS)
    assert rows(database_url, "select id from rollout") == [("r1",)]
    assert rows(database_url, "select count(*) from rollout_device") == [(0,)]
    assert (await js.stream_info(Stream.DEAD_LETTERS)).state.messages == 3
