"""What is learned of when devices wake up: from the stream, the same after restarts and replays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from nats.js import JetStreamContext

from harness.embedded import RunningPostgres
from harness.event_messages import (
    EventMessage,
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
SLEEPER: dict[str, Any] = {"queue_mode": True, "awake_window_s": 20.0, "lifetime_s": 3600}
Start = Callable[..., ServiceProcess]

LEARNED = (
    "select name, spoke_at, began_at, learned, interval_s, expected_at, expected_by, lately_by, longest_by, overdue_at "
    "from endpoint left join endpoint_wake_ups on endpoint_id = id order by name"
)


def value(endpoint: str, at: datetime, **changes: Any) -> EventMessage:
    return reported(endpoint, at, record("3303/0/5700", "float", 21.5, at), **changes)


def history(endpoint: str, seed: int) -> list[EventMessage]:
    """A device in queue mode: two Updates, a notification and an answer to a read at each wake-up."""
    random = Random(seed)
    messages, at = [registered(endpoint, T, **SLEEPER)], T
    for _ in range(40):
        at += timedelta(seconds=600 + random.randint(-20, 20), microseconds=random.randrange(1_000_000))
        messages += [
            updated(endpoint, at, **SLEEPER),
            updated(endpoint, at + 0.4 * S, **SLEEPER),
            value(endpoint, at + random.randint(1, 15) * S),
            value(endpoint, at + random.randint(60, 90) * S, trigger="read"),
        ]
    return messages


async def test_a_forecast_is_learned_and_survives_a_restart_and_a_replay(
    js: JetStreamContext,
    database_url: str,
    postgres: RunningPostgres,
    migrated_template: str,
    service: Start,
) -> None:
    histories = [history(f"dev-{number}", number) for number in range(3)]
    mixed = [message for together in zip(*histories, strict=True) for message in together]
    ingest = service("flownexus_ingest", FLOWNEXUS_INGEST_BATCH=7)
    for start in range(0, len(mixed), 200):
        await projected(database_url, await publish(js, *mixed[start : start + 200]))
        ingest.kill()
        ingest.start()
    ingest.kill()
    found = rows(database_url, LEARNED)

    for _, spoke_at, began_at, learned, interval_s, expected_at, *_ in found:
        assert len(learned["intervals_s"]) == 32
        assert 580 <= min(learned["intervals_s"]) <= interval_s <= max(learned["intervals_s"]) <= 621
        assert expected_at == began_at + interval_s * S
        assert spoke_at - began_at < 20 * S

    again = postgres.create_database(template=migrated_template)
    service("flownexus_ingest", FLOWNEXUS_DATABASE_URL=again)
    await projected(again, (await js.stream_info("LWM2M_EVENTS")).state.last_seq)
    assert rows(again, LEARNED) == found


async def test_answers_and_what_is_told_late_are_no_wake_ups(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    answer = event_message("dev", "heard", T + 300 * S, {"by": "answer"})
    last = await publish(
        js,
        registered("dev", T, **SLEEPER),
        value("dev", T + 200 * S, trigger="read"),
        answer,
        value("dev", T + 400 * S, retry_of=1),
        value("dev", T + 600 * S, trigger="send"),
    )
    await projected(database_url, last)

    [(intervals, seen, awake_until)] = rows(
        database_url,
        "select learned -> 'intervals_s', last_seen_at, awake_until "
        "from endpoint join endpoint_wake_ups on endpoint_id = id",
    )
    assert (intervals, seen, awake_until) == ([600.0], T + 600 * S, T + 620 * S)


async def test_a_sign_of_life_that_no_other_event_tells_of_keeps_it_awake(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    last = await publish(
        js, registered("dev", T, **SLEEPER), event_message("dev", "heard", T + 15 * S, {"by": "download"})
    )
    await projected(database_url, last)
    assert rows(database_url, "select last_seen_at, awake_until, spoke_at from endpoint") == [
        (T + 15 * S, T + 35 * S, T)
    ]


async def test_it_is_overdue_from_when_that_is_told_until_it_is_heard(
    js: JetStreamContext, database_url: str, service: Start
) -> None:
    service("flownexus_ingest")
    now = datetime.now(UTC)
    overdue = {
        "registration_id": "reg1",
        "last_heard_at": (now - 100 * S).isoformat(),
        "expected_at": (now - 60 * S).isoformat(),
        "expected_by": (now - 50 * S).isoformat(),
    }
    told = event_message("dev", "overdue", now - 5 * S, overdue)
    query = "select overdue, status, last_seen_at from endpoint_status"
    await projected(database_url, await publish(js, registered("dev", now - 100 * S, **SLEEPER), told))
    assert rows(database_url, query) == [(True, "asleep", now - 100 * S)]

    await projected(database_url, await publish(js, event_message("dev", "heard", now - S, {"by": "answer"})))
    assert rows(database_url, query) == [(False, "online", now - S)]
