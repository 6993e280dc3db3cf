"""A device updated over REST, from the upload of the image to the version that it runs; and all that is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Stream
from harness.firmware_device import FirmwareDevice
from harness.lockstep import LockstepDevice
from harness.rows import projected
from harness.services import ServiceProcess
from harness.waiting import until
from integration.api.conftest import log_in
from integration.firmware.conftest import IMAGE

UPDATES = "/api/v1/firmware-updates"
OF_DEVICE = "/api/v1/endpoints/device-1/firmware-updates"
LATER = (datetime.now(UTC) + timedelta(days=1)).isoformat()

NewDevice = Callable[..., FirmwareDevice]


class Door:
    """The api, with an operator and an image."""

    def __init__(self, client: httpx.AsyncClient, js: JetStreamContext, database_url: str) -> None:
        self.client, self.js, self.database_url = client, js, database_url
        self.firmware = ""

    async def upload(self) -> None:
        query = {"name": "app", "version": "2.0", "file_name": "app.bin"}
        answer = await self.client.post("/api/v1/firmware", params=query, content=IMAGE)
        assert answer.status_code == 201, answer.text
        self.firmware = answer.json()["id"]

    async def ask(self, path: str = OF_DEVICE, key: str | None = None, **changes: Any) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        return await self.client.post(path, json={"firmware": self.firmware} | changes, headers=headers)

    async def asked(self, **changes: Any) -> str:
        answer = await self.ask(**changes)
        assert (answer.status_code, answer.json()["status"]) == (202, "QUEUED"), answer.text
        return str(answer.json()["id"])

    async def now(self, update: str) -> dict[str, Any]:
        """As the tables have it."""
        last = (await self.js.stream_info(Stream.OPERATIONS)).state.last_seq
        await projected(self.database_url, last, stream=Stream.OPERATIONS)
        answer = await self.client.get(f"{UPDATES}/{update}")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def reaches(self, update: str, *statuses: str) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            found = await self.now(update)
            return found if found["status"] in statuses else None

        found: dict[str, Any] = await until(there, 60, f"{update} {statuses}")
        return found

    async def known(self, endpoint: str = "device-1") -> None:
        async def is_known() -> bool:
            return (await self.client.get(f"/api/v1/endpoints/{endpoint}")).status_code == 200

        reached: bool = await until(is_known, 20, f"{endpoint} in the tables")
        assert reached


@pytest.fixture
async def door(
    js: JetStreamContext, operations: ServiceProcess, service: Callable[..., ServiceProcess], database_url: str
) -> AsyncIterator[Door]:
    assert operations.is_running
    service("flownexus_ingest")
    api = service("flownexus_api")
    async with httpx.AsyncClient(base_url=api.health_url, timeout=20, trust_env=False) as client:
        await log_in(client, database_url, "operator")
        one = Door(client, js, database_url)
        await one.upload()
        yield one


async def test_from_the_upload_to_the_version_that_runs(door: Door, new_device: NewDevice) -> None:
    device = new_device()
    await door.known()
    events = asyncio.create_task(_events(door))
    update = await door.asked()
    done = await door.reaches(update, "SUCCEEDED", "FAILED")

    assert (done["status"], done["version_before"], done["version_after"]) == ("SUCCEEDED", "1.0", "2.0"), done
    assert (done["way"], done["state_text"], done["result_text"]) == ("pull by coap", "Idle", "success")
    assert (done["transferred"], done["size"], done["waiting_for"]) == (len(IMAGE), len(IMAGE), None)
    assert device.image == IMAGE
    history = done["history"]
    assert [step["what"] for step in history][:2] == ["requested", "asked"]
    assert history[-1]["action"] == done["last_action"] == "The device runs 2.0, and says success."
    assert history[-1]["time"] == done["finished_at"]
    assert {"transferring", "downloaded", "installing", "verifying", "succeeded"} <= {step["what"] for step in history}
    assert [name for name, _ in await events][-1] == "succeeded"
    listed = (await door.client.get(UPDATES, params={"endpoint": "device-1", "status": "SUCCEEDED"})).json()
    assert [one["id"] for one in listed["items"]] == [update]
    assert (await door.client.get(UPDATES, params={"status": "FAILED"})).json()["items"] == []
    batch = (await door.client.get("/api/v1/operations", params={"batch": done["operation_batch"]})).json()
    assert {one["status"] for one in batch["items"]} == {"CONFIRMED"}


async def _events(door: Door) -> list[tuple[str, dict[str, Any]]]:
    """What the stream has of the device, to the end of its update."""
    found: list[tuple[str, dict[str, Any]]] = []
    async with door.client.stream("GET", f"{UPDATES}/stream", params={"endpoint": "device-1"}, timeout=60) as stream:
        name = ""
        async for line in stream.aiter_lines():
            if line.startswith("event: "):
                name = line.removeprefix("event: ")
            elif line.startswith("data: "):
                found.append((name, json.loads(line.removeprefix("data: "))))
                if name in {"succeeded", "failed"}:
                    return found
    raise AssertionError("the stream ended")


async def test_a_second_update_while_one_runs_is_refused_and_cancelling_makes_room(
    door: Door, new_device: NewDevice
) -> None:
    new_device()
    await door.known()
    update = await door.asked(install={"not_before": LATER})
    refused = await door.ask()
    assert refused.status_code == 409
    assert f"is being updated to '2.0' (update {update}" in refused.json()["detail"]
    waiting = await door.reaches(update, "DOWNLOADED")
    assert waiting["waiting_for"].startswith("the time to install, ")

    cancelled = await door.client.post(f"{UPDATES}/{update}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "CANCELLING")
    gone = await door.reaches(update, "CANCELLED")
    assert gone["last_action"] == "Taken back by operator; the device has nothing of the image any more."
    again = await door.client.post(f"{UPDATES}/{update}/cancel")
    assert (again.status_code, again.json()["detail"]) == (
        409,
        "The update is CANCELLED: it cannot be cancelled any more.",
    )
    assert (await door.reaches(await door.asked(), "SUCCEEDED", "FAILED"))["status"] == "SUCCEEDED"


async def test_what_is_wrong_is_refused_with_its_reason_and_changes_nothing(
    door: Door, new_device: NewDevice, gateway: ServiceProcess
) -> None:
    new_device(delivery=1)
    await door.known()
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "bare") as bare:
        await asyncio.to_thread(bare.register, '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>')
        await door.known("bare")
    before = (await door.js.stream_info(Stream.OPERATIONS)).state.last_seq
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()

    wrong: list[tuple[httpx.Response, int, str]] = [
        (await door.ask("/api/v1/endpoints/nobody/firmware-updates"), 404, "There is no endpoint 'nobody'"),
        (await door.ask(firmware="00000000000000aa"), 404, "There is no firmware '00000000000000aa'."),
        (await door.ask(firmware="../x"), 422, "firmware"),
        (await door.ask("/api/v1/endpoints/bare/firmware-updates"), 409, "'bare' has no Firmware Update object (5)"),
        (await door.ask(method="carry"), 422, "method"),
        (await door.ask(method="push", scheme="coap"), 422, "scheme: an image that is pushed has none"),
        (await door.ask(expires_at=past), 422, "expires_at: it is past"),
        (await door.ask(install={"window": {"start": "01:00", "end": "01:00"}}), 422, "the same"),
        (await door.ask(install={"window": {"start": "25:00", "end": "01:00"}}), 422, "install"),
        (await door.client.get(f"{UPDATES}/none"), 404, "There is no firmware update 'none'."),
        (await door.client.post(f"{UPDATES}/none/cancel"), 404, "There is no firmware update 'none'."),
    ]
    for answer, status, why in wrong:
        assert (answer.status_code, why in answer.json()["detail"]) == (status, True), answer.text
    assert (await door.js.stream_info(Stream.OPERATIONS)).state.last_seq == before

    # Once it has said how it takes images, what it cannot do is refused at once.
    await door.reaches(await door.asked(), "SUCCEEDED", "FAILED")
    impossible = await door.ask(method="pull")
    assert (impossible.status_code, "takes images by push only" in impossible.json()["detail"]) == (409, True)


async def test_asked_again_with_the_same_key_it_is_the_same_update(door: Door, new_device: NewDevice) -> None:
    new_device()
    await door.known()
    first = await door.ask(key="k1")
    again = await door.ask(key="k1")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    other = await door.ask(key="k1", method="push")
    assert (other.status_code, "header.idempotency-key" in other.json()["detail"]) == (422, True)
