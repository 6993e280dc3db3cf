"""Firmware updates as ingest keeps them: how each stands, and what happened to it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.js import JetStreamContext

from flownexus_schemas.subjects import Stream
from harness.rows import projected, rows
from harness.services import ServiceProcess

T = datetime(2026, 3, 1, 12, 0, 0, 250_000, UTC)
S = timedelta(seconds=1)

UPDATES = """
select id, endpoint, firmware_id, name, version, rollout, status, state, result, size, transferred, retries, installs,
    version_before, version_after, waiting_for, last_action, requested_by, created_at, updated_at, finished_at,
    detail ->> 'method'
from firmware_update order by id
"""
HISTORY = """
select update_id, time, what, status, state, result, transferred, action from firmware_update_change
order by update_id, stream_sequence
"""


async def say(js: JetStreamContext, what: str, at: datetime, **changes: Any) -> int:
    """A message, written by hand."""
    data = {
        "id": "u1",
        "endpoint": "dev:1",
        "firmware": "0123456789abcdef",
        "name": "app",
        "version": "2.0",
        "size": 1000,
        "sha256": "00",
        "requested_at": T.isoformat(),
        "requested_by": "olga",
        "method": "pull",
    } | changes
    event = {
        "specversion": "1.0",
        "id": f"u1-{what}-{at.isoformat()}",
        "source": "/operations/ops",
        "type": f"io.flownexus.firmware.{what}.v1",
        "subject": "dev:1",
        "time": at.isoformat(),
        "data": data,
    }
    return (await js.publish("lwm2m.firmware.dev:1.u1", json.dumps(event).encode())).seq


async def test_an_update_is_its_last_message_and_each_message_is_a_step(
    js: JetStreamContext, service: Callable[..., ServiceProcess], database_url: str
) -> None:
    service("flownexus_ingest")
    await say(js, "requested", T, last_action="Requested.", waiting_for="the operations service")
    half: dict[str, Any] = {"status": "TRANSFERRING", "state": 1, "result": 0, "transferred": 500}
    await say(js, "reported", T + S, **half, last_action="It has 500\0.", waiting_for="the device")
    await js.publish("lwm2m.firmware.dev:1.u2", b"{}")
    end: dict[str, Any] = {
        "status": "SUCCEEDED",
        "state": 0,
        "result": 1,
        "transferred": 1000,
        "installs": 1,
        "version_before": "1.0",
        "version_after": "2.0",
        "finished_at": (T + 2 * S).isoformat(),
        "waiting_for": None,
        "last_action": "It runs 2.0.",
    }
    last = await say(js, "succeeded", T + 2 * S, **end)
    await projected(database_url, last, stream=Stream.OPERATIONS)

    assert rows(database_url, UPDATES) == [
        (
            "u1", "dev:1", "0123456789abcdef", "app", "2.0", None, "SUCCEEDED", 0, 1, 1000, 1000, 0, 1, "1.0", "2.0",
            None, "It runs 2.0.", "olga", T, T + 2 * S, T + 2 * S, "pull",
        )
    ]  # fmt: skip
    assert rows(database_url, HISTORY) == [
        ("u1", T, "requested", "QUEUED", None, None, 0, "Requested."),
        ("u1", T + S, "reported", "TRANSFERRING", 1, 0, 500, "It has 500\N{SYMBOL FOR NULL}."),
        ("u1", T + 2 * S, "succeeded", "SUCCEEDED", 0, 1, 1000, "It runs 2.0."),
    ]
    assert (await js.stream_info(Stream.DEAD_LETTERS)).state.messages == 1
