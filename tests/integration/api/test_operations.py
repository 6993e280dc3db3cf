"""Operations over REST: asked for, listed, followed, taken back. The devices are known and away."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from httpx_sse import EventSource
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Stream
from harness.event_messages import publish, registered
from harness.rows import projected, rows
from harness.waiting import until
from integration.api.conftest import log_in

if TYPE_CHECKING:
    from conftest import ServiceFactory

T = datetime(2026, 3, 1, 12, tzinfo=UTC)
OPERATIONS = "/api/v1/operations"
WRITE = {"operation": "write", "path": "5/0/1", "value": "https://url.com/fw.bin"}


class Known:
    """Endpoints that registered once, an API and an operator."""

    def __init__(self, client: httpx.AsyncClient, js: JetStreamContext, database_url: str) -> None:
        self.client, self.js, self.database_url = client, js, database_url

    async def ask(self, endpoint: str = "house-1", **changes: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if (key := changes.pop("key", None)) else {}
        url = f"/api/v1/endpoints/{endpoint}/operations"
        return await self.client.post(url, json=WRITE | changes, headers=headers)

    async def asked(self, endpoint: str = "house-1", **changes: Any) -> dict[str, Any]:
        answer = await self.ask(endpoint, **changes)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def batch(self, select: dict[str, Any], key: str | None = None, **changes: Any) -> httpx.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return await self.client.post(OPERATIONS, json=WRITE | changes | {"select": select}, headers=headers)

    async def written(self) -> None:
        """Wait until the tables have the whole stream."""
        last = (await self.js.stream_info(Stream.OPERATIONS)).state.last_seq
        await projected(self.database_url, last, stream=Stream.OPERATIONS)

    async def listed(self, query: str = "") -> list[dict[str, Any]]:
        await self.written()
        answer = await self.client.get(f"{OPERATIONS}?{query}")
        assert answer.status_code == 200, answer.text
        items: list[dict[str, Any]] = answer.json()["items"]
        return items

    async def messages(self) -> int:
        return (await self.js.stream_info(Stream.OPERATIONS)).state.messages

    def audit(self) -> list[tuple[Any, ...]]:
        return rows(
            self.database_url,
            "select actor, action, target, details from audit_entry "
            "where starts_with(action, 'operation.') order by id",
        )


@pytest.fixture
async def known(operator: httpx.AsyncClient, js: JetStreamContext, service: ServiceFactory, database_url: str) -> Known:
    service("flownexus_ingest")
    links = ["1/0", "3/0", "5/0"]
    away = [registered(f"house-{number}", T, object_links=links) for number in (1, 2, 3)]
    last = await publish(js, *away, registered("mill-1", T, object_links=["3/0"]))
    await projected(database_url, last)
    return Known(operator, js, database_url)


async def test_what_is_asked_for_is_kept_as_it_was_asked(known: Known) -> None:
    expires_at = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    asked = await known.asked(priority=7, expires_at=expires_at, timeout_s=20)
    assert (asked["status"], asked["attempts"], asked["max_attempts"], asked["priority"]) == ("QUEUED", 0, 3, 7)
    assert asked["requested_by"] == "operator"
    assert datetime.fromisoformat(asked["expires_at"]) == datetime.fromisoformat(expires_at)
    values = [{"path": "5/0/1", "value": "https://url.com/fw.bin", "type": "string"}]
    assert asked["request"] == {"path": "5/0/1", "values": values, "replace": False, "timeout_s": 20}

    # Also before the tables have it.
    assert (await known.client.get(f"{OPERATIONS}/{asked['id']}")).json()["status"] == "QUEUED"
    await known.written()
    found = (await known.client.get(f"{OPERATIONS}/{asked['id']}")).json()
    assert [(step["status"], step["action"]) for step in found.pop("history")] == [("QUEUED", "Requested.")]
    assert found == asked
    details = {"operation": asked["id"], "paths": ["5/0/1"]}
    assert known.audit() == [("operator", "operation.write", "house-1", details)]


WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    ("nobody", {}, 404, "There is no endpoint 'nobody': it never registered."),
    ("house-1", {"path": "5/x"}, 422, "body.path"),
    ("house-1", {"path": "1/0/1", "value": "soon"}, 422, "1/0/1"),
    ("house-1", {"path": "5/0/9", "value": 7}, 422, "5/0/9"),
    ("house-1", {"operation": "reed"}, 422, "body.operation"),
    ("house-1", {"operation": "read"}, 422, "value"),
    ("house-1", {"priority": 1001}, 422, "body.priority"),
    ("house-1", {"expires_at": "2020-01-01T00:00:00Z"}, 422, "expires_at: it is past"),
    ("house-1", {"expires_at": "2999-01-01T00:00:00"}, 422, "body.expires_at"),
    ("house-1", {"path": "5/0/0", "value": "QUJD" * 150_000}, 422, "at most 400000"),
    ("house-1", {"key": "a key"}, 422, "header.idempotency-key"),
]


async def test_what_cannot_be_sent_is_refused_and_leaves_nothing(known: Known) -> None:
    for endpoint, changes, status, says in WRONG:
        refused = await known.ask(endpoint, **changes)
        assert refused.status_code == status, refused.text
        assert says in refused.json()["detail"]
    assert await known.messages() == 0


async def test_the_same_key_asks_once_and_another_request_needs_another_key(known: Known) -> None:
    first, again = await asyncio.gather(known.asked(key="k1"), known.asked(key="k1"))
    assert first["id"] == again["id"]
    assert first["requested_at"] == again["requested_at"]
    other = await known.asked("house-2", key="k1")
    assert other["id"] != first["id"]
    assert await known.messages() == 2
    refused = await known.ask(key="k1", value="https://url.com/other.bin")
    assert refused.status_code == 422
    assert "it was used for another request" in refused.json()["detail"]
    assert (await known.asked())["id"] != (await known.asked())["id"]


async def test_what_is_queued_can_be_taken_back_once(known: Known) -> None:
    asked = await known.asked()
    taken = await known.client.post(f"{OPERATIONS}/{asked['id']}/cancel")
    assert (taken.status_code, taken.json()["status"]) == (200, "CANCELLED")
    again = await known.client.post(f"{OPERATIONS}/{asked['id']}/cancel")
    assert again.status_code == 409
    assert "The operation is CANCELLED" in again.json()["detail"]
    await known.written()
    found = (await known.client.get(f"{OPERATIONS}/{asked['id']}")).json()
    assert [step["action"] for step in found["history"]] == ["Requested.", "Cancelled by operator."]
    assert found["finished_at"] == taken.json()["finished_at"] is not None

    for unknown in ("get", f"{OPERATIONS}/none"), ("post", f"{OPERATIONS}/none/cancel"):
        missing = await known.client.request(*unknown)
        assert (missing.status_code, missing.json()["detail"]) == (404, "There is no operation 'none'.")


async def test_operations_are_listed_by_what_they_are_the_newest_first(known: Known) -> None:
    ids = [(await known.asked(endpoint))["id"] for endpoint in ("house-1", "house-2", "house-1")]
    await known.client.post(f"{OPERATIONS}/{ids[0]}/cancel")
    await known.client.put("/api/v1/endpoints/house-2/tags", json={"tags": ["north"]})

    async def tagged() -> bool:
        return len((await known.client.get("/api/v1/endpoints?tag=north")).json()["items"]) == 1

    is_known: bool = await until(tagged, what="the tag")
    assert is_known
    for query, expected in {
        "": [2, 1, 0],
        "endpoint=house-1": [2, 0],
        "status=CANCELLED": [0],
        "status=QUEUED&status=CANCELLED": [2, 1, 0],
        "tag=north": [1],
        "from=2999-01-01T00:00:00Z": [],
        "to=2020-01-01T00:00:00Z": [],
    }.items():
        assert [item["id"] for item in await known.listed(query)] == [ids[number] for number in expected], query
    first = (await known.client.get(f"{OPERATIONS}?limit=2")).json()
    rest = (await known.client.get(f"{OPERATIONS}?limit=2&cursor={first['next']}")).json()
    assert [item["id"] for item in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None


async def test_a_batch_asks_each_endpoint_that_is_selected_once(known: Known) -> None:
    answer = await known.batch({"endpoints": ["house-*"], "objects": [5]}, key="all")
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert (made["operations"], made["by_status"]) == (3, {"QUEUED": 3})
    assert (await known.batch({"endpoints": ["house-*"], "objects": [5]}, key="all")).json() == made
    items = await known.listed(f"batch={made['batch']}")
    assert sorted(item["endpoint"] for item in items) == ["house-1", "house-2", "house-3"]
    assert (await known.client.get(f"{OPERATIONS}/batches/{made['batch']}")).json() == made

    await known.client.post(f"{OPERATIONS}/{items[0]['id']}/cancel")
    cancelled = (await known.client.post(f"{OPERATIONS}/batches/{made['batch']}/cancel")).json()
    assert cancelled == {"batch": made["batch"], "cancelled": 2}
    await known.written()
    assert (await known.client.get(f"{OPERATIONS}/batches/{made['batch']}")).json()["by_status"] == {"CANCELLED": 3}
    assert (await known.client.get(f"{OPERATIONS}/batches/none")).status_code == 404


WRONG_BATCHES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {}, "name endpoints, objects or tags"),
    ({"endpoints": ["house-1", "house-9"]}, {}, "'house-9': never registered"),
    ({"endpoints": ["barn-*"]}, {}, "no endpoint meets it"),
    ({"tags": ["nowhere"]}, {}, "no endpoint meets it"),
    ({"endpoints": ["*"]}, {"path": "1/0/1", "value": -1.5}, "1/0/1"),
    ({"endpoint": ["*"]}, {}, "body.select.endpoint"),
]


async def test_a_batch_that_does_not_fit_asks_nobody(known: Known) -> None:
    for select, changes, says in WRONG_BATCHES:
        refused = await known.batch(select, **changes)
        assert refused.status_code == 422, refused.text
        assert says in refused.json()["detail"]
    assert await known.messages() == 0


async def test_what_happens_is_followed_as_it_happens(known: Known) -> None:
    await known.asked()
    url = f"{OPERATIONS}/stream?endpoint=house-2"
    async with known.client.stream("GET", url, timeout=20) as response:
        source = EventSource(response).aiter_sse()
        await anext(source)  # where the stream starts
        await known.asked("house-1")
        asked = await known.asked("house-2")
        await known.client.post(f"{OPERATIONS}/{asked['id']}/cancel")
        seen = [await anext(source) for _ in range(2)]
    assert [event.event for event in seen] == ["requested", "cancelled"]
    data = [json.loads(event.data)["data"] for event in seen]
    assert [(one["id"], one["status"]) for one in data] == [(asked["id"], "QUEUED"), (asked["id"], "CANCELLED")]

    resumed = {"Last-Event-ID": seen[0].id}
    async with known.client.stream("GET", url, timeout=20, headers=resumed) as response:
        source = EventSource(response).aiter_sse()
        await anext(source)
        assert (await anext(source)).id == seen[1].id


async def test_a_viewer_reads_and_asks_for_nothing(known: Known) -> None:
    asked = await known.asked()
    await known.written()
    await log_in(known.client, known.database_url, "viewer")
    assert (await known.client.get(f"{OPERATIONS}/{asked['id']}")).status_code == 200
    assert len(await known.listed()) == 1
    assert (await known.ask()).status_code == 403
    assert (await known.batch({"endpoints": ["*"]})).status_code == 403
    assert (await known.client.post(f"{OPERATIONS}/{asked['id']}/cancel")).status_code == 403
