"""Desired values from a caller over REST to devices that sleep, and back: one device, and a fleet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from harness.fleet import RunningFleet
from harness.lockstep import CHANGED, GET, METHOD_NOT_ALLOWED, PUT, TEXT, Heard, LockstepDevice, Silence
from harness.services import ServiceProcess
from harness.waiting import until
from integration.api.conftest import log_in
from integration.operations.conftest import served

pytestmark = pytest.mark.timeout(300)

HERE = "/api/v1/endpoints/device-1/desired"
LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>'
DEVICES, AWAKE_S, INTERVAL_S = 200, 4, 8


@pytest.fixture
def profile() -> ObservationProfile:
    """An observation wakes the devices."""
    return ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),), awake_window_s=AWAKE_S - 1)


@pytest.fixture
async def client(
    operations: ServiceProcess, service: Callable[..., ServiceProcess], database_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """The whole way: api, ingest, operations, gateway."""
    assert operations.is_running
    service("flownexus_ingest")
    async with httpx.AsyncClient(base_url=service("flownexus_api").health_url, timeout=30, trust_env=False) as found:
        await log_in(found, database_url, "operator")
        yield found


async def becomes(client: httpx.AsyncClient, state: str) -> dict[str, Any]:
    """How 1/0/1 of device-1 stands, once it stands so."""

    async def there() -> dict[str, Any] | None:
        for one in (await client.get(HERE)).json()["standing"]:
            if (one["path"], one["state"]) == ("1/0/1", state):
                return dict(one)
        return None

    found: dict[str, Any] = await until(there, 30, f"1/0/1 {state}")
    return found


async def test_what_is_declared_is_written_at_the_wake_up_and_drift_and_refusal_are_shown(
    client: httpx.AsyncClient, device: LockstepDevice
) -> None:
    declared = await client.put(HERE, json={"values": [{"path": "1/0/1", "value": 600}]})
    assert declared.status_code == 200, declared.text
    pending = await becomes(client, "pending")
    assert (pending["desired"], pending["reported"], pending["profile"]) == (600, None, None)

    def next_of_ours() -> Heard:
        """The observation of the profile comes before it or after."""
        request = device.receive()
        if request.path() != "3303/0/5700":
            return request
        device.answer(request, METHOD_NOT_ALLOWED)
        return device.receive()

    def answer(path: str, value: str) -> None:
        request = next_of_ours()
        assert (request.code, request.path()) == (GET, path)
        device.answer(request, payload=value.encode(), content_format=TEXT)

    def written(code: int, payload: bytes = b"") -> None:
        request = next_of_ours()
        assert (request.code, request.path()) == (PUT, "1/0/1")
        device.answer(request, code, payload=payload)

    def wake_up() -> None:
        device.register(LINKS, "b=U", "Q")
        answer("1/0/1", "300")
        written(CHANGED)
        answer("1/0/1", "600")

    await served(wake_up)
    held = await becomes(client, "in-sync")
    assert (held["reported"], held["since"] <= held["checked_at"]) == (600, True)

    def reboot() -> None:
        device.move()
        device.register(LINKS, "b=U", "Q")
        answer("1/0/1", "86400")

    await served(reboot)
    drifted = await becomes(client, "drifted")
    assert drifted["reported"] == 86400
    listed = (await client.get("/api/v1/desired-values?state=drifted")).json()["items"]
    assert [(one["endpoint"], one["path"]) for one in listed] == [("device-1", "1/0/1")]

    await served(lambda: written(METHOD_NOT_ALLOWED, b"locked"))
    refused = await becomes(client, "refused")
    assert (refused["code"], refused["reason"]) == ("4.05", "locked")

    assert (await client.delete(HERE)).status_code == 200

    async def is_gone() -> bool:
        return not (await client.get(HERE)).json()["standing"]

    gone: bool = await until(is_gone, 20, "nothing desired")
    assert gone
    with pytest.raises(Silence):
        await served(lambda: (device.update(), device.receive(1.0)))


async def test_a_profile_changes_the_lifetime_of_a_sleeping_fleet_each_device_written_once(
    client: httpx.AsyncClient, gateway: ServiceProcess, service: Callable[..., ServiceProcess], tmp_path: Path
) -> None:
    service("flownexus_operations")
    fleet = RunningFleet(
        tmp_path / "fleet",
        int(gateway.env["FLOWNEXUS_COAP_PORT"]),
        "--prefix=sleepy",
        f"--devices={DEVICES}",
        f"--interval={INTERVAL_S}",
        f"--awake-window={AWAKE_S}",
        "--queue-mode",
        "--lifetime=900",
        "--start-rate=50",
    )
    try:
        wish = {"endpoints": ["sleepy-*"], "values": [{"path": "1/0/1", "value": 600}]}
        declared = await client.put("/api/v1/desired-profiles/lifetime", json=wish)
        assert declared.status_code == 200, declared.text

        async def all_in_sync() -> bool:
            counts = (await client.get("/api/v1/desired-values/counts?profile=lifetime")).json()
            return bool(counts["by_state"] == {"in-sync": DEVICES})

        held: bool = await until(all_in_sync, 90, "every device has the lifetime")
        assert held

        async def all_updated() -> bool:
            listed = await client.get("/api/v1/endpoints?q=sleepy&limit=500")
            return [int(one["lifetime_s"]) for one in listed.json()["items"]] == [600] * DEVICES

        updated: bool = await until(all_updated, 30, "every device updated its registration")
        assert updated
        fleet.stop()
    finally:
        fleet.kill()
    asked: dict[str, list[str]] = defaultdict(list)
    for request in fleet.requests():
        if request["path"] == "1/0/1":
            asked[request["endpoint"]].append(request["method"])
    assert len(asked) == DEVICES
    # A read whose answer is lost on a busy machine is done again; a write never is.
    assert {(methods[0], methods[-1], methods.count("PUT")) for methods in asked.values()} == {("GET", "GET", 1)}
