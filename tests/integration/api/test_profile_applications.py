"""Which profile is in force for a device, and profiles applied on request, over REST."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Bucket
from harness.lockstep import BAD_REQUEST, GET, OBSERVE, PUT, TLV, LockstepDevice
from harness.services import ServiceProcess
from harness.waiting import until
from integration.api.conftest import log_in
from integration.gateway.observed_device import TLV_21_5

if TYPE_CHECKING:
    from conftest import ServiceFactory

ENDPOINTS, PROFILES = "/api/v1/endpoints", "/api/v1/profiles"
LINKS = "</3303/0>,</3304/0>"
TEMPERATURE: dict[str, Any] = {"observe": [{"path": "3303/0/5700"}]}
HUMIDITY: dict[str, Any] = {"observe": [{"path": "3304/0/5700"}]}


@pytest.fixture
async def gateway(operator: httpx.AsyncClient, service: ServiceFactory) -> ServiceProcess:
    """A gateway whose default profile observes the temperature, and ingest."""
    await operator.put(f"{PROFILES}/default", json=TEMPERATURE)
    service("flownexus_ingest")
    return service("flownexus_gateway")


def is_observed(device: LockstepDevice, path: str = "3303/0/5700", observe: int = 0) -> None:
    request = device.expect_request(GET, path)
    assert request.number(OBSERVE) == observe
    device.answer(request, payload=TLV_21_5, content_format=TLV, observe=None if observe else 0)


def registered(gateway: ServiceProcess, endpoint: str) -> LockstepDevice:
    device = LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), endpoint)
    device.register(LINKS)
    is_observed(device)
    return device


async def listed(client: httpx.AsyncClient, *endpoints: str) -> None:
    """Wait until the api has these devices, each with an observation."""

    async def all_there() -> list[str]:
        found = [await client.get(f"{ENDPOINTS}/{quote(name)}") for name in endpoints]
        return list(endpoints) if all(one.is_success and one.json()["observations"] for one in found) else []

    found: list[str] = await until(all_there, timeout_s=20, what="the devices in the api")
    assert found == list(endpoints)


async def while_served(call: Any, *serve: Callable[[], object]) -> httpx.Response:
    """The answer to a request while devices play their parts."""
    with ThreadPoolExecutor(len(serve)) as pool:
        parts = [pool.submit(part) for part in serve]
        answer: httpx.Response = await call
        for part in parts:
            part.result()
    return answer


async def test_a_profile_is_applied_to_the_registered_devices_that_it_is_in_force_for(
    operator: httpx.AsyncClient, gateway: ServiceProcess, database_url: str
) -> None:
    with registered(gateway, "house-1") as one, registered(gateway, "house-2") as two, registered(gateway, "boat") as _:
        await listed(operator, "house-1", "house-2", "boat")
        before = (await operator.get(f"{ENDPOINTS}/house-1/profile")).json()
        assert (before["profile"], before["state"]) == ("default", "in-force")
        await operator.put(f"{PROFILES}/houses", json={"endpoints": ["house-*"], **HUMIDITY})
        changed = await operator.post(f"{ENDPOINTS}/boat/profile/apply")
        assert (changed.json()["profile"], changed.json()["state"], changed.json()["observed"]) == (
            "default", "in-force", [],
        )  # fmt: skip
        differs = (await operator.get(f"{ENDPOINTS}/house-1/profile")).json()
        assert (differs["profile"], differs["state"]) == ("houses", "differs")

        def serve(device: LockstepDevice) -> None:
            is_observed(device, observe=1)
            is_observed(device, "3304/0/5700")

        answer = await while_served(
            operator.post(f"{PROFILES}/houses/apply"), lambda: serve(one), lambda: serve(two)
        )  # fmt: skip
        assert answer.status_code == 200, answer.text
        assert [(item["endpoint"], item["profile"], item["state"]) for item in answer.json()["items"]] == [
            ("house-1", "houses", "in-force"),
            ("house-2", "houses", "in-force"),
        ]
        assert all(item["observed"] == ["3304/0/5700"] for item in answer.json()["items"])
        assert all(item["cancelled"] == ["3303/0/5700"] for item in answer.json()["items"])
    with psycopg.connect(database_url) as connection:
        audit = connection.execute(
            "select action, target from audit_entry where action like '%applied' order by id"
        ).fetchall()
    assert audit == [("endpoint.profile-applied", "boat"), ("profile.applied", "houses")]


async def test_a_profile_chosen_by_a_tag_is_applied_right_after_the_tag_was_set(
    operator: httpx.AsyncClient, gateway: ServiceProcess
) -> None:
    with registered(gateway, "urn:dev:1") as device:
        await listed(operator, "urn:dev:1")
        await operator.put(
            f"{PROFILES}/damp", json={"tags": ["damp"], "observe": [*TEMPERATURE["observe"], *HUMIDITY["observe"]]}
        )
        await operator.put(f"{ENDPOINTS}/urn:dev:1/tags", json={"tags": ["damp"]})
        answer = await while_served(
            operator.post(f"{ENDPOINTS}/urn:dev:1/profile/apply"), lambda: is_observed(device, "3304/0/5700")
        )
        assert (answer.json()["profile"], answer.json()["observed"]) == ("damp", ["3304/0/5700"])


async def test_what_waits_is_told(operator: httpx.AsyncClient, gateway: ServiceProcess) -> None:
    with registered(gateway, "house-1") as device:
        await listed(operator, "house-1")
        await operator.put(f"{PROFILES}/default", json=HUMIDITY)
        (item,) = (await operator.post(f"{PROFILES}/default/apply?timeout_s=0")).json()["items"]
        assert (item["state"], item["differences"]) == ("under-way", ["3303/0/5700", "3304/0/5700"])
        is_observed(device, observe=1)


async def test_refused_attributes_are_on_the_endpoint(operator: httpx.AsyncClient, gateway: ServiceProcess) -> None:
    with registered(gateway, "house-1") as device:
        await listed(operator, "house-1")
        with_attributes = {"observe": [{"path": "3303/0/5700", "attributes": {"pmin": 10}}]}
        await operator.put(f"{PROFILES}/default", json=with_attributes)

        def refuse() -> None:
            device.answer(device.expect_request(PUT, "3303/0/5700"), BAD_REQUEST, b"not here")

        answer = await while_served(operator.post(f"{ENDPOINTS}/house-1/profile/apply"), refuse)
        assert (answer.json()["state"], answer.json()["differences"]) == ("differs", ["3303/0/5700"])

        async def told() -> list[dict[str, Any]]:
            found = (await operator.get(f"{ENDPOINTS}/house-1")).json()["observations"]
            return [one for one in found if one["attributes_code"]]

        observations: list[dict[str, Any]] = await until(told, what="the outcome")
        (observation,) = observations
        assert (observation["state"], observation["attributes"]) == ("established", {"pmin": 10})
        assert (observation["attributes_code"], observation["attributes_diagnostic"]) == (
            "4.00", "3303/0/5700: not here",
        )  # fmt: skip


async def test_a_device_that_left_gets_the_profile_at_its_next_registration(
    operator: httpx.AsyncClient, gateway: ServiceProcess, js: JetStreamContext
) -> None:
    with registered(gateway, "house-1") as device:
        await listed(operator, "house-1")
        assert device.deregister().code == 0x42

        async def left() -> list[str]:
            answer = await operator.post(f"{ENDPOINTS}/house-1/profile/apply")
            return [answer.json()["profile"]] if answer.json()["state"] == "not-registered" else []

        profile: list[str] = await until(left, what="the device is known to have left")
        assert profile == ["default"]

        async def nobody() -> bool:
            items: list[object] = (await operator.post(f"{PROFILES}/default/apply")).json()["items"]
            return items == []

        all_gone: bool = await until(nobody, what="nobody is registered for the profile")
        assert all_gone
    await (await js.key_value(Bucket.OBSERVATION_PROFILES)).put("broken", b"{")
    assert (await operator.get(f"{ENDPOINTS}/house-1/profile")).json()["profile"] == "default"
    for unknown in (f"{ENDPOINTS}/nobody/profile/apply", f"{PROFILES}/nothing/apply"):
        assert (await operator.post(unknown)).status_code == 404


async def test_a_gateway_that_is_away_is_told(operator: httpx.AsyncClient, gateway: ServiceProcess) -> None:
    with registered(gateway, "house-1"):
        await listed(operator, "house-1")
        gateway.kill()
        (item,) = (await operator.post(f"{PROFILES}/default/apply")).json()["items"]
        assert (item["profile"], item["state"]) == ("default", "unavailable")


async def test_a_viewer_sees_the_profile_in_force_and_applies_none(
    operator: httpx.AsyncClient, gateway: ServiceProcess, database_url: str
) -> None:
    with registered(gateway, "house-1"):
        await listed(operator, "house-1")
        await log_in(operator, database_url, "viewer")
        assert (await operator.get(f"{ENDPOINTS}/house-1/profile")).json()["state"] == "in-force"
        for refused in (f"{ENDPOINTS}/house-1/profile/apply", f"{PROFILES}/default/apply"):
            assert (await operator.post(refused)).status_code == 403
