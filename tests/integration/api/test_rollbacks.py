"""Rollouts taken back over REST: which devices get which image. What became of the devices is written by hand."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from nats.js import JetStreamContext

from integration.api.test_rollouts import ROLLOUTS, Fleet, fleet

__all__ = ["fleet"]

T = datetime.now(UTC) - timedelta(minutes=10)
SIZE, DIGEST = 9, "ab" * 32


async def became(js: JetStreamContext, rollout: str, fleet: Fleet, endpoint: str, **changes: Any) -> None:
    """A device of the rollout, as operations would say."""
    image = {"id": fleet.firmware, "name": "thermometer", "version": "2.0", "size": SIZE, "sha256": DIGEST}
    device = {"rollout": rollout, "endpoint": endpoint, "group": 1, "image": image, "attempt": 1} | changes
    event = {
        "id": f"{rollout}-{endpoint}",
        "source": "/operations/ops",
        "type": "io.flownexus.rollout-device.updated.v1",
        "subject": endpoint,
        "time": T.isoformat(),
        "data": device,
    }
    await js.publish(f"lwm2m.rollout.{rollout}.device.{endpoint}", json.dumps(event).encode())


async def is_being_updated(js: JetStreamContext, rollout: str, fleet: Fleet, endpoint: str, before: str | None) -> None:
    update = {
        "id": f"u-{endpoint}",
        "endpoint": endpoint,
        "firmware": fleet.firmware,
        "name": "thermometer",
        "version": "2.0",
        "size": SIZE,
        "sha256": DIGEST,
        "requested_at": T.isoformat(),
        "rollout": rollout,
        "status": "TRANSFERRING",
        "version_before": before,
    }
    event = {
        "id": f"{rollout}-{endpoint}-transferring",
        "source": "/operations/ops",
        "type": "io.flownexus.firmware.transferring.v1",
        "subject": endpoint,
        "time": T.isoformat(),
        "data": update,
    }
    await js.publish(f"lwm2m.firmware.{endpoint}.u-{endpoint}", json.dumps(event).encode())
    await became(js, rollout, fleet, endpoint, status="UPDATING", update=f"u-{endpoint}")


async def went_so_far(fleet: Fleet) -> str:
    """A rollout: one device succeeded, one went quiet, two are under way, one of them of unknown past, one failed."""
    js = fleet.js
    rollout = str((await fleet.made())["rollout"]["id"])
    await became(js, rollout, fleet, "house-5", status="SUCCEEDED", version_before="1.0", ended_at=T.isoformat())
    await became(js, rollout, fleet, "house-6", status="QUIET", version_before="0.9", ended_at=T.isoformat())
    await is_being_updated(js, rollout, fleet, "house-4", "1.0")
    await is_being_updated(js, rollout, fleet, "house-2", None)
    await became(js, rollout, fleet, "house-1", status="FAILED", ended_at=T.isoformat())
    return rollout


async def test_each_device_gets_what_it_had_before_where_that_is_kept(fleet: Fleet) -> None:
    rollout = await went_so_far(fleet)
    asked = {"name": "back", "dry_run": True}
    refused = await fleet.client.post(f"{ROLLOUTS}/{rollout}/rollback", json={"name": "back"})
    assert (refused.status_code, "1: It had 0.9 before" in refused.json()["detail"]) == (422, True), refused.text
    assert (await fleet.get(f"/{rollout}"))["status"] == "RUNNING"  # nothing changed

    image = await fleet.upload("1.0")
    dry = (await fleet.client.post(f"{ROLLOUTS}/{rollout}/rollback", json=asked)).json()
    assert sorted(dry["groups"][0]["endpoints"]) == ["house-4", "house-5"]
    assert dry["left_out"] == [
        {"reason": "It had 0.9 before, of which no image is kept.", "endpoints": ["house-6"]},
        {
            "reason": "It is not known which version it had before, or its update did not get so far.",
            "endpoints": ["house-2"],
        },
    ]
    assert (await fleet.get(f"/{rollout}"))["status"] == "RUNNING"

    answer = await fleet.client.post(f"{ROLLOUTS}/{rollout}/rollback", json=asked | {"dry_run": False})
    assert answer.status_code == 202, answer.text
    made = answer.json()
    assert {**made, "rollout": None} == dry
    new = made["rollout"]
    assert (new["rollback_of"], new["firmware"], new["devices"]) == (rollout, None, 2)
    first = await fleet.get(f"/{rollout}")
    assert (first["status"], first["rolled_back_by"]) == ("STOPPED", new["id"])
    devices = (await fleet.get(f"/{new['id']}/devices"))["items"]
    assert {one["endpoint"]: (one["firmware"], one["version"]) for one in devices if one["group"] is not None} == {
        "house-4": (image, "1.0"),
        "house-5": (image, "1.0"),
    }
    message = await fleet.js.get_last_msg("LWM2M_OPERATIONS", f"lwm2m.rollout.{new['id']}.plan")
    planned = {one["endpoint"]: one for one in json.loads(message.data or b"")["data"]["groups"][0]}
    assert {name: one["origin_under_way"] for name, one in planned.items()} == {"house-4": True, "house-5": False}


async def test_all_get_the_image_that_is_named_and_the_same_key_makes_one(fleet: Fleet) -> None:
    rollout = await went_so_far(fleet)
    await fleet.change(rollout, "stop")
    image = await fleet.upload("1.5")
    asked = {"name": "back", "firmware": image, "groups": [{"devices": 1}, {}]}
    url = f"{ROLLOUTS}/{rollout}/rollback"
    unknown = await fleet.client.post(url, json=asked | {"firmware": "00" * 8})
    assert unknown.status_code == 404
    first, again = [await fleet.client.post(url, json=asked, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert (first.status_code, again.status_code) == (202, 202), first.text
    assert first.json()["rollout"]["id"] == again.json()["rollout"]["id"]
    assert first.json()["rollout"]["firmware"]["version"] == "1.5"
    names = [name for group in first.json()["groups"] for name in group["endpoints"]]
    assert sorted(names) == ["house-2", "house-4", "house-5", "house-6"]


async def test_a_device_that_runs_something_else_by_now_is_left_alone(fleet: Fleet) -> None:
    rollout = str((await fleet.made())["rollout"]["id"])
    await became(fleet.js, rollout, fleet, "house-3", status="SUCCEEDED", version_before="1.0")
    image = await fleet.upload("1.5")
    asked = {"name": "back", "firmware": image, "dry_run": True}
    await fleet.written()
    dry = (await fleet.client.post(f"{ROLLOUTS}/{rollout}/rollback", json=asked)).json()
    assert [one["endpoints"] for one in dry["groups"]] == [["house-3"]]  # it says that it runs 2.0
    await became(fleet.js, rollout, fleet, "house-1", status="SUCCEEDED", version_before="0.9")
    dry = (await fleet.client.post(f"{ROLLOUTS}/{rollout}/rollback", json=asked)).json()
    assert dry["left_out"] == [{"reason": "It runs 1.0 now, not 2.0.", "endpoints": ["house-1"]}]
