"""Devices that were due and are not heard: told once, by whoever looks, while their gateway could hear them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from nats.js import JetStreamContext

from harness.event_messages import EventMessage, publish, record, registered, reported
from harness.rows import projected, rows
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events

S = timedelta(seconds=1)
SLEEPER: dict[str, Any] = {"queue_mode": True, "awake_window_s": 20.0, "lifetime_s": 86_400}
Start = Callable[..., ServiceProcess]


def value(endpoint: str, at: datetime) -> EventMessage:
    return reported(endpoint, at, record("3303/0/5700", "float", 21.5, at))


def silent_for(endpoint: str, seconds: float, **changes: Any) -> list[EventMessage]:
    """A device that reported each five minutes until so many seconds ago."""
    last = datetime.now(UTC) - seconds * S
    reports = [value(endpoint, last - 300 * number * S) for number in range(10, -1, -1)]
    return [registered(endpoint, last - 3600 * S, **SLEEPER | changes), *reports]


async def overdue(events: Events) -> list[str]:
    return [event.subject for event in await events.fetch() if event.type == "io.flownexus.lwm2m.overdue.v1"]


@pytest.fixture
def ingest(service: Start) -> ServiceProcess:
    service("flownexus_gateway")
    return service("flownexus_ingest", FLOWNEXUS_OVERDUE_GRACE_S=2)


async def test_one_that_is_silent_for_longer_than_ever_is_told_once_and_heard_again(
    js: JetStreamContext, database_url: str, ingest: ServiceProcess, service: Start
) -> None:
    service("flownexus_ingest", FLOWNEXUS_OVERDUE_GRACE_S=2)  # two look
    await publish(
        js,
        *silent_for("late", 1200),
        *silent_for("in-time", 200),
        *silent_for("ended", 1200, lifetime_s=4000),
        *silent_for("elsewhere", 1200, gateway="gw-that-is-away"),
        registered("new", datetime.now(UTC) - 1200 * S, **SLEEPER),
    )
    events = Events(js)

    async def told() -> list[str]:
        return await overdue(events)

    first: list[str] = await until(told, 40, "an overdue device")
    assert first == ["late"]
    found: list[Any] = [event for event in events.seen if event.subject == "late"]
    data = json.loads(found[-1].model_dump_json())["data"]
    assert data["registration_id"] == "reg1"
    assert data["last_heard_at"] < data["expected_at"] <= data["expected_by"]

    await projected(database_url, len(events.seen))
    query = "select name from endpoint_status where overdue order by name"
    assert rows(database_url, query) == [("late",)]
    await projected(database_url, await publish(js, value("late", datetime.now(UTC))))
    assert rows(database_url, query) == []
    assert await overdue(events) == ["late"]


async def test_after_an_outage_of_ours_devices_have_time_to_come_back(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    await publish(js, *silent_for("late", 1200))
    service("flownexus_gateway")
    service("flownexus_ingest", FLOWNEXUS_OVERDUE_GRACE_S=8)
    ready_at, events = datetime.now(UTC), Events(js)

    async def told() -> list[str]:
        return await overdue(events)

    first: list[str] = await until(told, 60, "an overdue device")
    assert first == ["late"]
    # It looks each 5 s, and knows of the gateway from the first time on.
    assert events.seen[-1].time - ready_at > 12 * S
