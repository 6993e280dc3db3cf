"""Rollouts over REST: asked for, tried dry, listed, followed, changed. Nothing carries them out here."""

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
from harness.event_messages import publish, record, registered, reported
from harness.rows import projected, rows
from integration.api.conftest import log_in

if TYPE_CHECKING:
    from conftest import ServiceFactory

ROLLOUTS = "/api/v1/rollouts"
LINKS = ["1/0", "3/0", "5/0"]
ALL = {"endpoints": ["*"]}


class Fleet:
    """Endpoints that said what they run, an image, an API and an operator."""

    def __init__(self, client: httpx.AsyncClient, js: JetStreamContext, database_url: str) -> None:
        self.client, self.js, self.database_url = client, js, database_url
        self.firmware = ""

    async def upload(self, version: str, name: str = "thermometer") -> str:
        answer = await self.client.post(
            "/api/v1/firmware",
            params={"name": name, "version": version, "file_name": "fw.bin"},
            content=f"image {version}".encode(),
        )
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def ask(self, key: str | None = None, **changes: Any) -> httpx.Response:
        asked = {"name": "thermometers", "firmware": self.firmware, "select": ALL, "groups": [{}]} | changes
        return await self.client.post(ROLLOUTS, json=asked, headers={"Idempotency-Key": key} if key else {})

    async def made(self, key: str | None = None, **changes: Any) -> dict[str, Any]:
        answer = await self.ask(key, **changes)
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def dry(self, **changes: Any) -> dict[str, Any]:
        answer = await self.ask(dry_run=True, **changes)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def get(self, path: str) -> dict[str, Any]:
        await self.written()
        answer = await self.client.get(f"{ROLLOUTS}{path}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def change(self, rollout: str, what: str) -> httpx.Response:
        return await self.client.post(f"{ROLLOUTS}/{rollout}/{what}")

    async def written(self) -> None:
        last = (await self.js.stream_info(Stream.OPERATIONS)).state.last_seq
        await projected(self.database_url, last, stream=Stream.OPERATIONS)

    async def messages(self) -> int:
        return (await self.js.stream_info(Stream.OPERATIONS)).state.messages

    def audit(self) -> list[tuple[Any, ...]]:
        query = "select actor, action, details from audit_entry where starts_with(action, 'rollout.') order by id"
        return rows(self.database_url, query)


def runs(version: str, at: datetime) -> dict[str, Any]:
    return record("3/0/3", "string", version, at)


@pytest.fixture
async def fleet(operator: httpx.AsyncClient, js: JetStreamContext, service: ServiceFactory, database_url: str) -> Fleet:
    service("flownexus_ingest")
    now = datetime.now(UTC)
    long_ago = now - timedelta(days=3)
    await publish(
        js,
        *(registered(f"house-{number}", now, object_links=LINKS, lifetime_s=600) for number in range(1, 7)),
        registered("mill-1", now, object_links=["3/0"]),
        registered("away-1", long_ago, object_links=LINKS),
        reported("house-1", now, runs("1.0", now), record("5/0/9", "integer", 1, now)),
        reported("house-2", now, runs("1.0", now), record("5/0/9", "integer", 0, now)),
        reported("house-3", now, runs("2.0", now)),
        reported(
            "house-4", now, runs("1.0", now), record("5/0/8/0", "integer", 0, now), record("5/0/8/1", "integer", 2, now)
        ),
    )
    last = (await js.stream_info(Stream.EVENTS)).state.last_seq
    await projected(database_url, last)
    known = Fleet(operator, js, database_url)
    known.firmware = await known.upload("2.0")
    return known


async def test_a_dry_run_says_what_would_be_done_device_for_device_and_makes_nothing(fleet: Fleet) -> None:
    dry = await fleet.dry(groups=[{"devices": 2, "then": "pause"}, {"percent": 50, "failed_percent": 50}, {}])
    assert dry["rollout"] is None
    assert (dry["devices"], dry["not_chosen"]) == (6, 0)
    assert [(one["size"], one["needed"], one["may_fail"], one["then"]) for one in dry["groups"]] == [
        (2, 2, 0, "pause"),
        (3, 3, 1, "next"),
        (1, 1, 0, "next"),
    ]
    names = [name for group in dry["groups"] for name in group["endpoints"]]
    assert sorted(names) == ["away-1", "house-1", "house-2", "house-4", "house-5", "house-6"]
    assert dry["left_out"] == [
        {"reason": "It lists no object 5 (Firmware Update).", "endpoints": ["mill-1"]},
        {"reason": "It runs 2.0 already.", "endpoints": ["house-3"]},
    ]
    notes = {one["note"]: sorted(one["endpoints"]) for one in dry["notes"]}
    assert notes == {
        "It is offline: its update waits until it registers.": ["away-1"],
        "It has not said which version it runs.": ["away-1", "house-5", "house-6"],
    }
    assert (await fleet.messages(), fleet.audit()) == (0, [])
    assert (await fleet.get(""))["items"] == []

    made = await fleet.made(groups=[{"devices": 2, "then": "pause"}, {"percent": 50, "failed_percent": 50}, {}])
    assert {**made, "rollout": None} == dry  # what is made is what was said


async def test_a_rollout_is_kept_with_its_devices_and_read_back(fleet: Fleet) -> None:
    made = await fleet.made(groups=[{"devices": 1}, {}], in_flight=7, watch={"seconds": 120}, method="pull")
    rollout = made["rollout"]
    assert (rollout["status"], rollout["devices"], rollout["requested_by"]) == ("RUNNING", 5, "operator")
    assert rollout["firmware"] == {"id": fleet.firmware, "name": "thermometer", "version": "2.0"}
    assert (await fleet.client.get(f"{ROLLOUTS}/{rollout['id']}")).status_code == 200  # before the tables have it

    found = await fleet.get(f"/{rollout['id']}")
    assert found.pop("history") == [{"time": rollout["requested_at"], "status": "RUNNING", "action": "Requested."}]
    assert found.pop("by_status") == {"WAITING": 5, "LEFT_OUT": 3}
    assert {**found, "history": [], "by_status": {"WAITING": 5}} == rollout
    assert [(one["number"], one["status"], one["needed"]) for one in found["groups"]] == [
        (1, "waiting", 1),
        (2, "waiting", 4),
    ]
    assert (found["in_flight"], found["watch"]["seconds"], found["method"]) == (7, 120, "pull")

    devices = (await fleet.get(f"/{rollout['id']}/devices"))["items"]
    assert [one["endpoint"] for one in devices[:5]] == [name for one in made["groups"] for name in one["endpoints"]]
    assert [(one["group"], one["status"]) for one in devices] == [
        (1, "WAITING"),
        *[(2, "WAITING")] * 4,
        *[(None, "LEFT_OUT")] * 3,
    ]
    assert [one["endpoint"] for one in devices[5:]] == ["mill-1", "house-3", "house-1"]
    left_out = {one["endpoint"]: one["last_action"] for one in devices[5:]}
    assert left_out["house-1"] == "It takes images by push alone (5/0/9 is 1)."
    first = await fleet.get(f"/{rollout['id']}/devices?limit=3")
    rest = await fleet.get(f"/{rollout['id']}/devices?limit=9&cursor={first['next']}")
    assert first["items"] + rest["items"] == devices
    assert len((await fleet.get(f"/{rollout['id']}/devices?status=LEFT_OUT"))["items"]) == 3
    assert len((await fleet.get(f"/{rollout['id']}/devices?group=2"))["items"]) == 4
    one = await fleet.get(f"/{rollout['id']}/devices/house-4")
    assert (one["status"], one["history"]) == ("WAITING", [])

    report = await fleet.get(f"/{rollout['id']}/report")
    assert (report["not_begun"], report["failures"], report["durations"]) == (5, [], None)
    assert {one["reason"]: one["endpoints"] for one in report["left_out"]}["It runs 2.0 already."] == ["house-3"]
    details = {"name": "thermometers", "firmware": fleet.firmware, "devices": 5}
    assert fleet.audit() == [("operator", "rollout.requested", details)]


async def test_a_device_of_an_open_rollout_is_left_out_of_another(fleet: Fleet) -> None:
    first = await fleet.made(select={"endpoints": ["house-4"]})
    await fleet.written()
    other = await fleet.upload("3.0")
    dry = await fleet.dry(firmware=other, select={"endpoints": ["house-4", "house-5"]})
    assert dry["left_out"] == [
        {"reason": "The rollout 'thermometers' is to update it.", "endpoints": ["house-4"]},
    ]
    await fleet.change(first["rollout"]["id"], "stop")
    await fleet.written()
    assert (await fleet.dry(firmware=other, select={"endpoints": ["house-4"]}))["devices"] == 1


async def test_devices_are_chosen_by_tag_list_and_percent(fleet: Fleet) -> None:
    await fleet.client.put("/api/v1/endpoints/house-5/tags", json={"tags": ["canary"]})

    async def groups(**changes: Any) -> list[list[str]]:
        return [one["endpoints"] for one in (await fleet.dry(**changes))["groups"]]

    for _ in range(100):
        if (await fleet.client.get("/api/v1/endpoints?tag=canary")).json()["items"]:
            break
        await asyncio.sleep(0.05)
    assert await groups(select={"tags": ["canary"]}) == [["house-5"]]
    both = ["house-5", "house-6"]
    assert (await groups(groups=[{"select": {"tags": ["canary"]}}, {}], select={"endpoints": both})) == [
        ["house-5"],
        ["house-6"],
    ]
    half = await fleet.dry(percent=50)
    assert (half["devices"], half["not_chosen"]) == (3, 3)
    everybody = await fleet.dry()
    assert half["groups"][0]["endpoints"] == everybody["groups"][0]["endpoints"][:3]


WRONG: list[tuple[dict[str, Any], int, str]] = [
    ({"firmware": "00" * 8}, 404, "There is no firmware '0000000000000000'."),
    ({"firmware": "new"}, 422, "body.firmware"),
    ({"select": {}}, 422, "select: name endpoints, objects or tags"),
    ({"select": {"endpoints": ["nobody"]}}, 422, "select.endpoints: 'nobody': never registered."),
    ({"select": {"tags": ["no such tag"]}}, 422, "body.select.tags"),
    ({"select": {"objects": [4711]}}, 422, "select: no endpoint meets it."),
    ({"select": {"endpoints": ["mill-1", "house-3"]}}, 422, "none of these devices is to be updated. 1: It lists no"),
    ({"groups": []}, 422, "body.groups"),
    ({"groups": [{"devices": 2}]}, 422, "groups: they take 2 of 6 devices; add {} for the others"),
    ({"groups": [{"devices": 2, "percent": 3}]}, 422, "say percent or devices of a group, not both"),
    ({"groups": [{"percent": 0}]}, 422, "body.groups.0.percent"),
    ({"groups": [{"size": 3}]}, 422, "body.groups.0.size"),
    ({"groups": [{"select": {}}]}, 422, "select: name endpoints, objects or tags, or leave it out"),
    ({"percent": 101}, 422, "body.percent"),
    ({"in_flight": 0}, 422, "body.in_flight"),
    ({"name": ""}, 422, "body.name"),
    ({"watch": {"seconds": -1}}, 422, "body.watch.seconds"),
    ({"give_up_after_s": 5}, 422, "body.give_up_after_s"),
    ({"method": "carry"}, 422, "body.method"),
    ({"install": {"window": {"start": "02:00", "end": "02:00"}}}, 422, "start and end are the same"),
    ({"starts_at": "2020-01-01T00:00:00Z"}, 422, "starts_at: it is past"),
    ({"wait": 3}, 422, "body.wait"),
]


async def test_what_cannot_be_is_refused_and_leaves_nothing(fleet: Fleet) -> None:
    for changes, status, says in WRONG:
        refused = await fleet.ask(**changes)
        assert (refused.status_code, says in refused.json()["detail"]) == (status, True), refused.text
    assert (await fleet.messages(), fleet.audit()) == (0, [])
    for path in ("none", "none/devices", "none/report", "none/devices/house-1"):
        assert (await fleet.client.get(f"{ROLLOUTS}/{path}")).status_code == 404
    for what in ("pause", "resume", "stop", "next"):
        assert (await fleet.change("none", what)).status_code == 404
    assert (await fleet.client.post(f"{ROLLOUTS}/none/rollback", json={"name": "back"})).status_code == 404


async def test_a_viewer_may_look_and_change_nothing(fleet: Fleet) -> None:
    made = await fleet.made()
    await log_in(fleet.client, fleet.database_url, "viewer")
    assert (await fleet.ask(dry_run=True)).status_code == 403
    assert (await fleet.change(made["rollout"]["id"], "stop")).status_code == 403
    assert (await fleet.get(f"/{made['rollout']['id']}"))["status"] == "RUNNING"


async def test_the_same_key_makes_one_rollout_and_another_wish_needs_another_key(fleet: Fleet) -> None:
    first = await fleet.made("k1")
    await fleet.written()  # now its devices are those of an open rollout
    again = await fleet.made("k1")
    assert (again["rollout"]["id"], again["groups"]) == (first["rollout"]["id"], first["groups"])
    refused = await fleet.ask("k1", in_flight=3)
    assert (refused.status_code, "it was used for another rollout" in refused.json()["detail"]) == (422, True)
    assert len((await fleet.get(""))["items"]) == 1


async def test_a_rollout_is_paused_resumed_hurried_and_stopped(fleet: Fleet) -> None:
    rollout = (await fleet.made(groups=[{"devices": 1}, {}], paused=True))["rollout"]["id"]

    async def changed(what: str) -> tuple[int, str]:
        answer = await fleet.change(rollout, what)
        found = answer.json()
        return answer.status_code, found.get("last_action") or found["detail"]

    assert (await fleet.get(f"/{rollout}"))["status"] == "PAUSED"
    assert await changed("pause") == (409, "The rollout is PAUSED: it cannot be paused.")
    assert await changed("next") == (409, "The rollout is PAUSED: it cannot be given its next group.")
    assert await changed("resume") == (200, "Resumed by operator.")
    hurried = "Group {} of 2 begun by operator: it was not to wait for the one before."
    assert await changed("next") == (200, hurried.format(1))
    assert await changed("next") == (200, hurried.format(2))
    assert await changed("next") == (409, "Every group of the rollout has begun already.")
    assert await changed("stop") == (200, "Stopped by operator. Updates under way are taken back.")
    assert await changed("resume") == (409, "The rollout is STOPPED: it cannot be resumed.")
    found = await fleet.get(f"/{rollout}")
    assert [one["status"] for one in found["history"]] == ["PAUSED", "RUNNING", "RUNNING", "RUNNING", "STOPPED"]
    assert [one["status"] for one in (await fleet.get("?status=STOPPED"))["items"]] == ["STOPPED"]
    assert (await fleet.get("?status=RUNNING"))["items"] == []


async def test_rollouts_are_followed_as_they_change(fleet: Fleet) -> None:
    rollout = (await fleet.made())["rollout"]["id"]
    seen: list[tuple[str, str]] = []
    async with fleet.client.stream("GET", f"{ROLLOUTS}/stream?rollout={rollout}", timeout=30) as answer:
        events = EventSource(answer).aiter_sse()
        for what in ("pause", "resume", "stop"):
            await fleet.change(rollout, what)
        async for event in events:
            if not event.data:
                continue  # where the stream begins
            seen.append((event.event, json.loads(event.data)["data"]["status"]))
            if event.event == "stopped":
                break
    assert seen == [("paused", "PAUSED"), ("resumed", "RUNNING"), ("stopped", "STOPPED")]
