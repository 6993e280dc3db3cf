"""Desired values over REST: declared, checked, taken back; how they stand over the fleet."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext

from flownexus_api.desired_examples import DRIFTED, IN_SYNC, PROFILE_WISH
from flownexus_schemas.subjects import Bucket, endpoint_key
from integration.api.conftest import log_in

NODE = "urn:imei:123456789012345"
HERE = "/api/v1/endpoints/urn:imei:123456789012345/desired"
PROFILES = "/api/v1/desired-profiles"
FLEET = "/api/v1/desired-values"
T = datetime(2026, 3, 2, 9, 50, 1, tzinfo=UTC)

WISH = {"values": [{"path": "1/0/1", "value": 600}], "attributes": [{"path": "3303", "attributes": {"pmin": 60}}]}
TYPED = WISH | {"values": [{"path": "1/0/1", "value": 600, "type": "integer"}]}


def without(found: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: part for name, part in found.items() if name not in names}


async def test_what_is_desired_of_an_endpoint_is_declared_changed_and_taken_back(
    operator: httpx.AsyncClient, js: JetStreamContext, database_url: str
) -> None:
    empty: dict[str, Any] = {"endpoint": NODE, "revision": None, "values": [], "attributes": [], "standing": []}
    assert (await operator.get(HERE)).json() == empty
    made = await operator.put(HERE, json=WISH)
    assert (made.status_code, without(made.json(), "revision")) == (200, without(empty, "revision") | TYPED)
    entry = await (await js.key_value(Bucket.DESIRED_VALUES)).get(endpoint_key(NODE))
    assert json.loads(entry.value or b"") == TYPED
    assert (await operator.get(HERE)).json() == made.json()

    await operator.put(HERE, json={"values": [{"path": "1/0/1", "value": 300}]})
    assert (await operator.get(HERE)).json()["values"][0]["value"] == 300
    assert (await operator.delete(HERE)).json()["values"][0]["value"] == 300
    assert (await operator.get(HERE)).json() == empty
    gone = await operator.delete(HERE)
    assert (gone.status_code, gone.json()["detail"]) == (404, f"Nothing is declared for {NODE!r}.")
    with psycopg.connect(database_url) as connection:
        audit = connection.execute(
            "select actor, action, target, details from audit_entry where action like 'endpoint.desired%' order by id"
        ).fetchall()
    assert audit == [
        ("operator", "endpoint.desired", NODE, {"paths": ["1/0/1", "3303"]}),
        ("operator", "endpoint.desired", NODE, {"paths": ["1/0/1"]}),
        ("operator", "endpoint.desired-removed", NODE, None),
    ]


async def test_who_read_an_older_revision_changes_nothing(operator: httpx.AsyncClient) -> None:
    first = (await operator.put(HERE, json=WISH, headers={"If-Match": '"0"'})).json()["revision"]
    second = await operator.put(HERE, json=WISH, headers={"If-Match": f'"{first}"'})
    assert second.status_code == 200
    for late in (
        await operator.put(HERE, json={}, headers={"If-Match": f'"{first}"'}),
        await operator.put(HERE, json={}, headers={"If-Match": '"0"'}),
        await operator.delete(HERE, headers={"If-Match": f'"{first}"'}),
    ):
        assert (late.status_code, "was changed by somebody else" in late.json()["detail"]) == (409, True)
    assert (await operator.get(HERE)).json() == second.json()
    wrong = await operator.put(HERE, json=WISH, headers={"If-Match": "x"})
    assert (wrong.status_code, "revision in quotes" in wrong.json()["detail"]) == (422, True)
    assert (await operator.delete(HERE, headers={"If-Match": f'"{second.json()["revision"]}"'})).status_code == 200


async def test_profiles_are_made_changed_listed_and_removed(
    operator: httpx.AsyncClient, js: JetStreamContext, database_url: str
) -> None:
    assert (await operator.get(PROFILES)).json() == {"items": [], "next": None}
    made = await operator.put(f"{PROFILES}/fleet", json=PROFILE_WISH)
    assert (made.status_code, without(made.json(), "revision")) == (
        200,
        {"name": "fleet", "error": None} | PROFILE_WISH,
    )
    assert (await operator.get(f"{PROFILES}/fleet")).json() == made.json()
    changed = await operator.put(f"{PROFILES}/fleet", json=PROFILE_WISH | {"priority": 11})
    await (await js.key_value(Bucket.DESIRED_PROFILES)).put("broken", b'{"values": 1}')
    listed = (await operator.get(PROFILES)).json()["items"]
    assert [(one["name"], one["priority"], bool(one["error"])) for one in listed] == [
        ("broken", 0, True),
        ("fleet", 11, False),
    ]
    assert (await operator.get(f"{PROFILES}/broken")).status_code == 409
    assert (await operator.delete(f"{PROFILES}/fleet")).json() == changed.json()
    for gone in (await operator.get(f"{PROFILES}/fleet"), await operator.delete(f"{PROFILES}/fleet")):
        assert (gone.status_code, "'fleet'" in gone.json()["detail"]) == (404, True)
    assert (await operator.delete(f"{PROFILES}/broken")).status_code == 200
    with psycopg.connect(database_url) as connection:
        audit = connection.execute(
            "select action, target, details from audit_entry where action like 'desired-profile.%' order by id"
        ).fetchall()
    paths = {"paths": ["1/0/1", "3303"]}
    assert audit == [
        *[("desired-profile.changed", "fleet", paths)] * 2,
        ("desired-profile.removed", "fleet", None),
        ("desired-profile.removed", "broken", None),
    ]


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"value": 1}, "value"),
    ({"values": [{"path": "1/0/1", "value": "often"}]}, "1/0/1: the value is a whole number"),
    ({"values": [{"path": "3303/0/5700", "value": 1}]}, "Sensor Value cannot be written"),
    ({"values": [{"path": "5/0/1", "value": "coap://x"}]}, "firmware is updated by"),
    ({"values": [{"path": "1/0/1", "value": 1}, {"path": "/1/0/1", "value": 2}]}, "1/0/1 is there twice"),
    ({"values": [{"path": "1/0/70000", "value": 1}]}, "70000"),
    ({"values": [{"path": "one", "value": 1}]}, "path"),
    ({"attributes": [{"path": "3303", "attributes": {"pmin": 60, "pmax": 10}}]}, "pmin is 60, above pmax"),
    ({"attributes": [{"path": "3303", "attributes": {"gt": 1}}]}, "gt is for a resource"),
]


@pytest.mark.parametrize(("body", "reason"), WRONG)
async def test_what_cannot_be_is_refused_and_changes_nothing(
    operator: httpx.AsyncClient, body: dict[str, Any], reason: str
) -> None:
    for url in (HERE, f"{PROFILES}/fleet"):
        answer = await operator.put(url, json=body)
        assert answer.status_code == 422, answer.text
        assert reason in answer.json()["detail"]
    assert (await operator.get(HERE)).json()["revision"] is None
    assert (await operator.get(f"{PROFILES}/fleet")).status_code == 404


async def test_a_viewer_sees_and_changes_nothing(operator: httpx.AsyncClient, database_url: str) -> None:
    await operator.put(HERE, json=WISH)
    await log_in(operator, database_url, "viewer")
    assert (await operator.get(HERE)).json()["values"][0]["value"] == 600
    for url in (HERE, f"{PROFILES}/fleet"):
        assert (await operator.put(url, json=WISH)).status_code == 403
        assert (await operator.delete(url)).status_code == 403


def keep(database_url: str, *found: dict[str, Any]) -> None:
    """Rows as ingest writes them."""
    with psycopg.connect(database_url) as connection:
        for number, one in enumerate(found):
            row = one | {
                "attribute": one["attribute"] or "",
                "desired": json.dumps(one["desired"]),
                "reported": None if one["reported"] is None else json.dumps(one["reported"]),
                "stream_sequence": number,
            }
            names = ", ".join(row)
            marks = ", ".join(["%s"] * len(row))
            connection.execute(f"insert into desired_value ({names}) values ({marks})", list(row.values()))


async def test_how_it_stands_is_listed_by_what_is_asked_for_page_by_page(
    client: httpx.AsyncClient, database_url: str
) -> None:
    other = {**IN_SYNC, "endpoint": "node-2", "profile": "fleet", "state": "refused", "code": "4.05", "reason": "no"}
    keep(database_url, IN_SYNC, DRIFTED, other)

    async def listed(query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (await client.get(f"{FLEET}{query}")).json()["items"]
        return found

    assert await listed("") == [other, IN_SYNC, DRIFTED]
    assert await listed("?state=drifted&state=refused") == [other, DRIFTED]
    assert await listed("?endpoint=node-2") == [other]
    assert await listed("?profile=fleet&state=drifted") == [DRIFTED]
    assert await listed("?path=/1/0/1") == [other, IN_SYNC]
    found, cursor = [], ""
    while True:
        page = (await client.get(f"{FLEET}?limit=1{cursor}")).json()
        found += page["items"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == [other, IN_SYNC, DRIFTED]

    counts = (await client.get(f"{FLEET}/counts")).json()
    assert counts == {"endpoints": 2, "values": 3, "by_state": {"in-sync": 1, "drifted": 1, "refused": 1}}
    of_profile = (await client.get(f"{FLEET}/counts?profile=fleet&path=1/0/1")).json()
    assert of_profile == {"endpoints": 1, "values": 1, "by_state": {"refused": 1}}
    for wrong in ("?state=fine", "?path=x", "?cursor=x", "?limit=0"):
        assert (await client.get(f"{FLEET}{wrong}")).status_code == 422, wrong


async def test_the_fleet_is_filtered_by_tags(operator: httpx.AsyncClient, database_url: str) -> None:
    keep(database_url, IN_SYNC, {**IN_SYNC, "endpoint": "node-2"})
    await operator.put("/api/v1/endpoints/node-2/tags", json={"tags": ["north"]})
    assert [one["endpoint"] for one in (await operator.get(f"{FLEET}?tag=north")).json()["items"]] == ["node-2"]
    assert (await operator.get(f"{FLEET}/counts?tag=north")).json()["values"] == 1
    assert (await operator.get(HERE)).json()["standing"] == [IN_SYNC]
