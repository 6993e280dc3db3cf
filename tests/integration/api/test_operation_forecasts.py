"""When the device that an operation waits for is heard next. It learned that from what devices did; nothing runs here
that would send anything.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Stream
from harness.event_messages import EventMessage, publish, record, registered, reported
from harness.rows import projected

if TYPE_CHECKING:
    from conftest import ServiceFactory

S = timedelta(seconds=1)
OPERATIONS = "/api/v1/operations"
READ = {"operation": "read", "path": "3/0/0"}


def each_five_minutes(endpoint: str, last: datetime, **changes: Any) -> list[EventMessage]:
    registration: dict[str, Any] = {
        "queue_mode": True,
        "awake_window_s": 20.0,
        "lifetime_s": 86_400,
        "object_links": ["3/0"],
    }
    messages = [registered(endpoint, last - 3000 * S, **registration | changes)]
    for number in range(9, -1, -1):
        at = last - 300 * number * S
        messages.append(reported(endpoint, at, record("3303/0/5700", "float", 21.5, at)))
    return messages


async def test_what_waits_for_a_device_has_a_forecast(
    operator: httpx.AsyncClient, js: JetStreamContext, service: ServiceFactory, database_url: str
) -> None:
    service("flownexus_ingest")
    now = datetime.now(UTC).replace(microsecond=0)
    silent, heard = now - 100 * S, now - 2 * S
    last = await publish(
        js,
        *each_five_minutes("asleep", silent),
        *each_five_minutes("listens", heard, queue_mode=False),
        *each_five_minutes("answers-asleep", silent, answers_asleep_within_s=82.0),
        *each_five_minutes("new", silent)[:2],
    )
    await projected(database_url, last)
    asked = {}
    for endpoint in ("asleep", "listens", "answers-asleep", "new"):
        answer = await operator.post(f"/api/v1/endpoints/{endpoint}/operations", json=READ)
        asked[endpoint] = answer.json()
    last = (await js.stream_info(Stream.OPERATIONS)).state.last_seq
    await projected(database_url, last, stream=Stream.OPERATIONS)

    ends = silent + (86_400 - 3000) * S
    expected = {"asleep": silent + 300 * S, "listens": None, "answers-asleep": None, "new": ends}
    assert {endpoint: forecast(found) for endpoint, found in asked.items()} == expected
    listed = (await operator.get(OPERATIONS)).json()["items"]
    assert {found["endpoint"]: forecast(found) for found in listed} == expected
    one = f"{OPERATIONS}/{asked['asleep']['id']}"
    assert forecast((await operator.get(one)).json()) == expected["asleep"]
    assert forecast((await operator.post(f"{one}/cancel")).json()) is None


def forecast(operation: dict[str, Any]) -> datetime | None:
    at, by = operation["forecast_at"], operation["forecast_by"]
    if at is None:
        assert by is None
        return None
    found = datetime.fromisoformat(at)
    assert found <= datetime.fromisoformat(by)
    return found
