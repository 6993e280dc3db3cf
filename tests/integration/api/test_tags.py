"""Tags of endpoints: set over REST, filtered by, and profiles that choose by them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext

from flownexus_runtime.live_tags import LiveTags
from harness.lockstep import GET, OBSERVE, LockstepDevice, Silence
from integration.api.conftest import log_in

if TYPE_CHECKING:
    from conftest import ServiceFactory

ENDPOINTS = "/api/v1/endpoints"
PROFILES = "/api/v1/profiles"


async def tag(client: httpx.AsyncClient, endpoint: str, *tags: str) -> httpx.Response:
    return await client.put(f"{ENDPOINTS}/{quote(endpoint, safe='')}/tags", json={"tags": tags})


def add(database_url: str, *names: str) -> None:
    with psycopg.connect(database_url) as connection:
        for name in names:
            connection.execute("insert into endpoint (name) values (%s)", [name])


async def listed(client: httpx.AsyncClient, query: str) -> dict[str, list[str]]:
    answer = await client.get(f"{ENDPOINTS}?{query}")
    assert answer.status_code == 200, answer.text
    return {item["name"]: item["tags"] for item in answer.json()["items"]}


@pytest.mark.parametrize("endpoint", ["urn:imei:123456789012345", "a/b", "ünï 🌡", "50%", "x" * 255])
async def test_tags_are_set_read_and_taken_away_before_the_device_registers(
    operator: httpx.AsyncClient, database_url: str, endpoint: str
) -> None:
    given = await tag(operator, endpoint, "north", "greenhouse", "north")
    assert (given.status_code, given.json()) == (200, {"tags": ["greenhouse", "north"]})
    path = f"{ENDPOINTS}/{quote(endpoint, safe='')}"
    assert (await operator.get(f"{path}/tags")).json() == {"tags": ["greenhouse", "north"]}
    add(database_url, endpoint)
    assert (await operator.get(path)).json()["tags"] == ["greenhouse", "north"]
    await tag(operator, endpoint)
    assert (await operator.get(path)).json()["tags"] == []
    with psycopg.connect(database_url) as connection:
        audit = connection.execute(
            "select actor, target, details from audit_entry where action = 'endpoint.tagged' order by id"
        ).fetchall()
    assert audit == [
        ("operator", endpoint, {"tags": ["greenhouse", "north"]}),
        ("operator", endpoint, {"tags": []}),
    ]


async def test_the_list_is_filtered_by_all_tags_named(operator: httpx.AsyncClient, database_url: str) -> None:
    add(database_url, "a", "b", "c", "d")
    await tag(operator, "a", "north", "greenhouse")
    await tag(operator, "b", "north")
    await tag(operator, "c", "south")
    await tag(operator, "unseen", "north")
    assert await listed(operator, "tag=north") == {"a": ["greenhouse", "north"], "b": ["north"]}
    assert await listed(operator, "tag=north&tag=greenhouse") == {"a": ["greenhouse", "north"]}
    assert await listed(operator, "tag=north&sort=-last_seen_at&q=b") == {"b": ["north"]}
    assert await listed(operator, "tag=west") == {}
    assert set(await listed(operator, "")) == {"a", "b", "c", "d"}


async def test_what_cannot_be_a_tag_is_refused(operator: httpx.AsyncClient) -> None:
    for wrong in ([""], ["a b"], ["-a"], ["x" * 65], ["ä"], [f"t{number}" for number in range(51)], "north"):
        answer = await operator.put(f"{ENDPOINTS}/a/tags", json={"tags": wrong})
        assert answer.status_code == 422, wrong
        assert "tags" in answer.json()["detail"]
    assert (await operator.put(f"{ENDPOINTS}/{'x' * 256}/tags", json={"tags": []})).status_code == 422
    assert (await operator.get(f"{ENDPOINTS}/a/tags")).json() == {"tags": []}


async def test_a_viewer_reads_tags_and_sets_none(operator: httpx.AsyncClient, database_url: str) -> None:
    await tag(operator, "a", "north")
    await log_in(operator, database_url, "viewer")
    assert (await operator.get(f"{ENDPOINTS}/a/tags")).json() == {"tags": ["north"]}
    assert (await tag(operator, "a", "south")).status_code == 403


async def test_before_tags_were_read_a_filter_by_them_is_unavailable_and_the_list_is_not(
    client: httpx.AsyncClient, database_url: str
) -> None:
    add(database_url, "a")
    assert await listed(client, "") == {"a": []}
    assert (await client.get(f"{ENDPOINTS}?tag=north")).status_code == 503


async def test_a_profile_chooses_by_tags_that_were_set_before_the_first_registration(
    operator: httpx.AsyncClient, service: ServiceFactory, js: JetStreamContext
) -> None:
    await tag(operator, "urn:dev:1", "north", "greenhouse", "new")
    await tag(operator, "urn:dev:2", "north")
    nothing: dict[str, Any] = {}
    await operator.put(f"{PROFILES}/default", json=nothing)
    chosen = {"tags": ["greenhouse", "north"], "objects": [3304], "observe": [{"path": "3304/0/5700"}]}
    assert (await operator.put(f"{PROFILES}/houses", json=chosen)).status_code == 200
    port = int(service("flownexus_gateway").env["FLOWNEXUS_COAP_PORT"])
    with LockstepDevice(port, "urn:dev:1") as both, LockstepDevice(port, "urn:dev:2") as one:
        one.register("</3304/0>")
        both.register("</3304/0>")
        assert both.expect_request(GET, "3304/0/5700").number(OBSERVE) == 0
        with pytest.raises(Silence):
            one.receive(timeout_s=0.3)


def test_an_older_entry_does_not_replace_a_newer_one() -> None:
    tags = LiveTags()
    tags.apply("a", b'{"tags": ["new"]}', 7)
    tags.apply("a", b'{"tags": ["old"]}', 6)
    tags.apply("a", b"no JSON", 8)
    assert (tags.of("a"), tags.revision) == (("new",), 8)
