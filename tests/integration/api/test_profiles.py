"""Observation profiles over REST, in force at the next registration of a device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext

from flownexus_api.examples import PROFILE
from flownexus_schemas.subjects import Bucket
from harness.lockstep import GET, OBSERVE, LockstepDevice, Silence
from harness.waiting import until
from integration.api.conftest import log_in

if TYPE_CHECKING:
    from conftest import ServiceFactory

PROFILES = "/api/v1/profiles"
LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3304/0>'


async def names(client: httpx.AsyncClient) -> list[str]:
    return [one["name"] for one in (await client.get(PROFILES)).json()["items"]]


async def test_profiles_are_made_changed_listed_and_removed(operator: httpx.AsyncClient, database_url: str) -> None:
    assert await names(operator) == ["default"]
    made = await operator.put(f"{PROFILES}/greenhouse", json=PROFILE)
    assert (made.status_code, made.json()) == (200, {"name": "greenhouse", "error": None, **PROFILE})
    changed = {**PROFILE, "priority": 11}
    await operator.put(f"{PROFILES}/greenhouse", json=changed)
    assert (await operator.get(f"{PROFILES}/greenhouse")).json() == {"name": "greenhouse", "error": None, **changed}
    assert await names(operator) == ["default", "greenhouse"]
    assert (await operator.delete(f"{PROFILES}/greenhouse")).json()["priority"] == 11
    for gone in (await operator.get(f"{PROFILES}/greenhouse"), await operator.delete(f"{PROFILES}/greenhouse")):
        assert gone.status_code == 404
        assert "'greenhouse'" in gone.json()["detail"]
    assert await names(operator) == ["default"]
    with psycopg.connect(database_url) as connection:
        audit = connection.execute(
            "select actor, action, target from audit_entry where action like 'profile.%' order by id"
        ).fetchall()
    changed_twice = [("operator", "profile.changed", "greenhouse")] * 2
    assert audit == [*changed_twice, ("operator", "profile.removed", "greenhouse")]


async def test_a_profile_that_cannot_be_is_refused(operator: httpx.AsyncClient) -> None:
    wrong: list[tuple[dict[str, Any], str]] = [
        ({"observes": []}, "observes"),
        ({"observe": [{"path": "3303/0/70000"}]}, "70000"),
        ({"read_once": ["three"]}, "read_once"),
        ({"format": 9}, "format: 9 is no Content-Format"),
        ({"awake_window_s": 0}, "awake_window_s"),
        ({"endpoints": [""]}, "endpoints"),
        ({"objects": [65536]}, "objects"),
        ({"tags": ["a b"]}, "tags"),
        ({"observe": [{"path": "3303", "attributes": {"every": 1}}]}, "attributes"),
        ({"observe": [{"path": "3303", "format": 9}]}, "format: 9 is no Content-Format"),
        (
            {"observe_composite": [{"paths": ["3303"], "event_type": "e", "format": 11542}]},
            "take one of 110, 112, 320",
        ),
    ]
    for change, reason in wrong:
        answer = await operator.put(f"{PROFILES}/greenhouse", json=PROFILE | change)
        assert answer.status_code == 422, change
        assert reason in answer.json()["detail"]
    assert (await operator.get(f"{PROFILES}/greenhouse")).status_code == 404


@pytest.mark.parametrize("content_format", [110, 112, 320, 322, 11544])
async def test_a_composite_observation_takes_each_composite_format(
    operator: httpx.AsyncClient, content_format: int
) -> None:
    entry = {"paths": ["3303"], "event_type": "e", "format": content_format}
    made = await operator.put(f"{PROFILES}/greenhouse", json=PROFILE | {"observe_composite": [entry]})
    assert made.status_code == 200
    assert made.json()["observe_composite"][0]["format"] == content_format


async def test_a_viewer_sees_profiles_and_changes_none(operator: httpx.AsyncClient, database_url: str) -> None:
    await log_in(operator, database_url, "viewer")
    assert (await operator.get(f"{PROFILES}/default")).status_code == 200
    assert (await operator.put(f"{PROFILES}/default", json=PROFILE)).status_code == 403
    assert (await operator.delete(f"{PROFILES}/default")).status_code == 403


async def test_a_profile_is_in_force_at_the_next_registration_of_the_devices_it_chooses(
    operator: httpx.AsyncClient, service: ServiceFactory
) -> None:
    gateway = service("flownexus_gateway")
    nothing: dict[str, Any] = {}
    assert (await operator.put(f"{PROFILES}/default", json=nothing)).status_code == 200
    chosen = {"endpoints": ["house-*"], "objects": [3304], "observe": [{"path": "3304/0/5700"}]}
    assert (await operator.put(f"{PROFILES}/houses", json=chosen)).status_code == 200
    port = int(gateway.env["FLOWNEXUS_COAP_PORT"])
    with LockstepDevice(port, "house-1") as house, LockstepDevice(port, "boat-1") as boat:
        boat.register(LINKS)
        house.register(LINKS)
        assert house.expect_request(GET, "3304/0/5700").number(OBSERVE) == 0
        with pytest.raises(Silence):
            boat.receive(timeout_s=0.3)


async def test_a_profile_that_cannot_be_read_is_listed_with_its_error_and_the_former_stays_in_force(
    operator: httpx.AsyncClient, service: ServiceFactory, js: JetStreamContext
) -> None:
    gateway = service("flownexus_gateway")
    chosen = {"objects": [3304], "observe": [{"path": "3304/0/5700"}]}
    await operator.put(f"{PROFILES}/climate", json=chosen)
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put("climate", b'{"observe": [{"path": "three"}]}')
    listed = {one["name"]: one for one in (await operator.get(PROFILES)).json()["items"]}
    assert set(listed) == {"climate", "default"}
    assert "observe.0.path" in listed["climate"]["error"]
    assert listed["default"]["error"] is None
    one = await operator.get(f"{PROFILES}/climate")
    assert (one.status_code, "observe.0.path" in one.json()["detail"]) == (409, True)
    await until(lambda: "profile.invalid" in gateway.log_text(), what="the gateway has met it")
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "device-1") as device:
        device.register(LINKS)
        assert device.expect_request(GET, "3304/0/5700").number(OBSERVE) == 0
    assert (await operator.delete(f"{PROFILES}/climate")).status_code == 200
    assert await names(operator) == ["default"]
