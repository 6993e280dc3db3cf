"""Endpoints, listed and one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import psycopg
import pytest

from integration.api.rows import Rows

NOW = datetime.now(UTC)
LATER, BEFORE = NOW + timedelta(hours=1), NOW - timedelta(hours=1)


def add(database_url: str, name: str, **fields: object) -> None:
    columns = {"name": name, **fields}
    with psycopg.connect(database_url) as connection:
        connection.execute(
            f"insert into endpoint ({', '.join(columns)}) values ({', '.join(['%s'] * len(columns))})",
            list(columns.values()),
        )


async def names(client: httpx.AsyncClient, query: str) -> list[str]:
    answer = await client.get(f"/api/v1/endpoints{query}")
    assert answer.status_code == 200, answer.text
    return [item["name"] for item in answer.json()["items"]]


async def every_page(client: httpx.AsyncClient, query: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        answer = (await client.get(f"/api/v1/endpoints?{query}{cursor}")).json()
        found += [item["name"] for item in answer["items"]]
        if answer["next"] is None:
            return found
        cursor = f"&cursor={answer['next']}"


async def test_status_is_that_of_this_moment(client: httpx.AsyncClient, database_url: str) -> None:
    add(database_url, "awake", registered=True, queue_mode=True, awake_until=LATER, expires_at=LATER)
    add(database_url, "asleep", registered=True, queue_mode=True, awake_until=BEFORE, expires_at=LATER)
    add(database_url, "plain", registered=True, expires_at=LATER)
    add(database_url, "expired", registered=True, expires_at=BEFORE)
    add(database_url, "gone", registered=False, expires_at=LATER)
    assert await names(client, "?status=online") == ["awake", "plain"]
    assert await names(client, "?status=asleep") == ["asleep"]
    assert await names(client, "?status=offline") == ["expired", "gone"]


async def test_those_that_are_overdue_are_found_and_when_each_is_expected(
    client: httpx.AsyncClient, database_url: str, rows: Rows
) -> None:
    seen = {"registered": True, "expires_at": LATER, "last_seen_at": BEFORE}
    for name, overdue_since in (("silent", NOW), ("heard-since", BEFORE - timedelta(minutes=1)), ("in-time", None)):
        minutes = NOW + timedelta(minutes=10), NOW + timedelta(minutes=11)
        rows.wake_ups(rows.endpoint(name, **seen), *minutes, overdue_since=overdue_since)
    rows.wake_ups(rows.endpoint("gone", **seen | {"registered": False}), NOW, NOW, overdue_since=NOW)

    assert await names(client, "?overdue=true") == ["silent"]
    assert await names(client, "?overdue=false&status=online") == ["heard-since", "in-time"]
    assert (await client.get("/api/v1/statistics")).json()["endpoints"]["overdue"] == 1
    found = (await client.get("/api/v1/endpoints/silent")).json()
    assert found["overdue"] is True
    expected = [datetime.fromisoformat(found[name]) for name in ("next_expected_at", "next_expected_by")]
    assert expected == [NOW + timedelta(minutes=10), NOW + timedelta(minutes=11)]


async def test_pages_hold_every_endpoint_once(client: httpx.AsyncClient, database_url: str) -> None:
    expected = sorted(f"node-{number:02}" for number in range(7))
    for name in expected:
        add(database_url, name)
    assert await every_page(client, "limit=3") == expected
    assert await every_page(client, "limit=7") == expected


async def test_pages_by_last_seen_end_with_those_never_seen(client: httpx.AsyncClient, database_url: str) -> None:
    for number in range(4):
        add(database_url, f"seen-{number}", last_seen_at=NOW - timedelta(minutes=number))
    add(database_url, "also-seen-2", last_seen_at=NOW - timedelta(minutes=2))
    for name in ("never-a", "never-b", "never-c"):
        add(database_url, name)
    expected = ["seen-0", "seen-1", "also-seen-2", "seen-2", "seen-3", "never-a", "never-b", "never-c"]
    for limit in (1, 2, 3, 8):
        assert await every_page(client, f"sort=-last_seen_at&limit={limit}") == expected


async def test_search_takes_the_text_as_it_is(client: httpx.AsyncClient, database_url: str) -> None:
    for name in ("Pump_1", "pump-2", "100%"):
        add(database_url, name)
    assert set(await names(client, "?q=PUMP")) == {"pump-2", "Pump_1"}
    assert await names(client, "?q=p_1") == ["Pump_1"]
    assert await names(client, "?q=%25") == ["100%"]
    assert await names(client, "?q=nothing") == []


@pytest.mark.parametrize(
    "name",
    ["urn:imei:123456789012345", "a/b", "a/objects", "50%", "a%2Fb", "ünï 🌡", "a b?c#d", "/", "%", "x" * 255],
)
async def test_an_endpoint_is_found_whatever_its_name(client: httpx.AsyncClient, database_url: str, name: str) -> None:
    add(database_url, name)
    add(database_url, "a")
    answer = await client.get(f"/api/v1/endpoints/{quote(name, safe='')}")
    assert answer.status_code == 200, answer.text
    assert answer.json()["name"] == name


@pytest.mark.parametrize("name", ["node-7", "%00", "%FF", "a%2Fb"])
async def test_an_unknown_endpoint_is_404(client: httpx.AsyncClient, name: str) -> None:
    answer = await client.get(f"/api/v1/endpoints/{name}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_an_endpoint_has_its_registration_and_observations(client: httpx.AsyncClient, database_url: str) -> None:
    add(
        database_url,
        "node-1",
        registered=True,
        address_host="2001:db8::1",
        address_port=5683,
        object_links='["1/0", "3303/0"]',
        object_versions='{"3303": "1.1"}',
        content_formats="[112]",
        expires_at=LATER,
    )
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into observation_outcome (endpoint_id, paths, composite, state, code, time, stream_sequence)"
            "select id, '3303/0/5700,3303/0/5701', true, 'refused', '4.05', %s, 7 from endpoint",
            [NOW],
        )
    found = (await client.get("/api/v1/endpoints/node-1")).json()
    assert found["address"] == {"host": "2001:db8::1", "port": 5683}
    assert found["object_links"] == ["1/0", "3303/0"]
    assert found["object_versions"] == {"3303": "1.1"}
    assert found["content_formats"] == [112]
    [observation] = found["observations"]
    assert observation["paths"] == ["3303/0/5700", "3303/0/5701"]
    assert (observation["state"], observation["code"], observation["composite"]) == ("refused", "4.05", True)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=501", "limit=x", "status=dead", "sort=age", "cursor=zzz", "cursor=W10"]
)
async def test_a_bad_value_is_422_and_named(client: httpx.AsyncClient, query: str) -> None:
    answer = await client.get(f"/api/v1/endpoints?{query}")
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert f"query.{query.partition('=')[0]}" in answer.json()["detail"]


async def test_a_cursor_of_another_list_is_422(client: httpx.AsyncClient, database_url: str) -> None:
    for name in ("a", "b"):
        add(database_url, name)
    cursor = (await client.get("/api/v1/endpoints?limit=1")).json()["next"]
    answer = await client.get(f"/api/v1/endpoints?limit=1&sort=-last_seen_at&cursor={cursor}")
    assert answer.status_code == 422
