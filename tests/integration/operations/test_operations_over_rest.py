"""Operations from a caller over REST to a device that sleeps, and back: S082 of the source document, step by step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Stream
from harness.lockstep import (
    ACK,
    BLOCK2,
    CHANGED,
    CONTENT,
    CONTENT_FORMAT,
    GET,
    METHOD_NOT_ALLOWED,
    PUT,
    TEXT,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.rows import projected
from harness.services import ServiceProcess
from harness.waiting import until
from integration.api.conftest import log_in
from integration.operations.conftest import served

LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</5/0>'
OPERATIONS = "/api/v1/operations"
LARGE = b"m" * 500_000
WRITE = {"operation": "write", "path": "5/0/1", "value": "https://url.com/fw.bin", "timeout_s": 1.5}


class Fleet:
    """The whole way: API, ingest, operations, gateway, and one device in queue mode."""

    def __init__(self, client: httpx.AsyncClient, js: JetStreamContext, database_url: str) -> None:
        self.client, self.js, self.database_url = client, js, database_url

    async def status(self) -> str:
        """Of the device."""
        answer = await self.client.get("/api/v1/endpoints/device-1")
        return str(answer.json().get("status"))

    async def becomes(self, status: str) -> None:
        async def is_it() -> bool:
            return await self.status() == status

        reached: bool = await until(is_it, 20, f"the device is {status}")
        assert reached

    async def ask(self, asked: dict[str, Any]) -> str:
        answer = await self.client.post("/api/v1/endpoints/device-1/operations", json=asked)
        assert (answer.status_code, answer.json()["status"]) == (202, "QUEUED"), answer.text
        return str(answer.json()["id"])

    async def now(self, operation: str) -> dict[str, Any]:
        last = (await self.js.stream_info(Stream.OPERATIONS)).state.last_seq
        await projected(self.database_url, last, stream=Stream.OPERATIONS)
        found: dict[str, Any] = (await self.client.get(f"{OPERATIONS}/{operation}")).json()
        return found

    async def reaches(self, operation: str, status: str, attempts: int) -> dict[str, Any]:
        async def there() -> dict[str, Any] | None:
            found = await self.now(operation)
            return found if (found["status"], found["attempts"]) == (status, attempts) else None

        found: dict[str, Any] = await until(there, 20, f"{status} after {attempts} attempts")
        return found


@pytest.fixture
async def fleet(
    js: JetStreamContext,
    operations: ServiceProcess,
    service: Callable[..., ServiceProcess],
    database_url: str,
) -> AsyncIterator[Fleet]:
    assert operations.is_running
    service("flownexus_ingest")
    api = service("flownexus_api")
    async with httpx.AsyncClient(base_url=api.health_url, timeout=20, trust_env=False) as client:
        await log_in(client, database_url, "operator")
        yield Fleet(client, js, database_url)


async def asleep(fleet: Fleet, device: LockstepDevice) -> None:
    device.register(LINKS, "b=U", "Q")
    await fleet.becomes("online")
    await fleet.becomes("asleep")


def is_silent(device: LockstepDevice, seconds: float) -> None:
    with pytest.raises(Silence):
        device.receive(seconds)


async def test_a_write_to_a_sleeping_device_waits_for_its_update_and_is_confirmed(
    fleet: Fleet, device: LockstepDevice
) -> None:
    await asleep(fleet, device)
    operation = await fleet.ask(WRITE)
    await served(lambda: is_silent(device, 1.0))
    assert (await fleet.now(operation))["status"] == "QUEUED"

    def wake_up() -> None:
        device.update()
        request = device.expect_request(PUT, "5/0/1")
        assert request.payload == b"https://url.com/fw.bin"
        device.answer(request, CHANGED)

    await served(wake_up)
    done = await fleet.reaches(operation, "CONFIRMED", 1)
    assert (done["code"], done["last_action"]) == ("2.04", "The device answered 2.04.")
    assert [(step["status"], step["attempts"]) for step in done["history"]] == [
        ("QUEUED", 0),
        ("SENDING", 1),
        ("CONFIRMED", 1),
    ]
    assert done["last_attempt_at"] > done["requested_at"]
    assert done["finished_at"] == done["history"][-1]["time"]


async def test_a_device_that_never_answers_is_asked_on_three_wake_ups_and_no_more(
    fleet: Fleet, device: LockstepDevice
) -> None:
    await asleep(fleet, device)
    operation = await fleet.ask(WRITE)

    def wake_up() -> None:
        device.update()
        device.expect_request(PUT, "5/0/1")

    for attempt, then in ((1, "QUEUED"), (2, "QUEUED"), (3, "FAILED")):
        await served(wake_up)
        failed = await fleet.reaches(operation, then, attempt)
        await served(lambda: is_silent(device, 1.0))  # not before the next sign of life
    assert failed["last_action"].startswith("No answer to 3 attempts")
    assert failed["code"] is None
    statuses = [step["status"] for step in failed["history"]]
    assert statuses == ["QUEUED", *["SENDING", "QUEUED"] * 2, "SENDING", "FAILED"]
    device.update()
    await served(lambda: is_silent(device, 2.0))


async def test_a_refusal_of_the_device_is_the_end_with_its_code_and_words(fleet: Fleet, device: LockstepDevice) -> None:
    device.register(LINKS)
    await fleet.becomes("online")
    operation = await fleet.ask({"operation": "execute", "path": "3/0/4"})

    def refuse() -> None:
        request = device.receive()
        device.answer(request, METHOD_NOT_ALLOWED, payload=b"not now")

    await served(refuse)
    failed = await fleet.reaches(operation, "FAILED", 1)
    assert (failed["code"], failed["diagnostic"]) == ("4.05", "not now")
    assert failed["last_action"] == "The device refused: 4.05 not now."


async def test_what_a_device_answers_to_a_read_is_kept_and_what_is_too_large_is_left_out(
    fleet: Fleet, device: LockstepDevice
) -> None:
    device.register(LINKS)
    await fleet.becomes("online")
    small, large = [await fleet.ask({"operation": "read", "path": "3/0/0", "timeout_s": 30}) for _ in range(2)]

    def serve() -> None:
        device.answer(device.expect_request(GET, "3/0/0"), payload=b"maker", content_format=TEXT)
        for block in range(0, len(LARGE), 1024):
            request = device.expect_request(GET, "3/0/0")
            more = 8 if block + 1024 < len(LARGE) else 0
            options = [(CONTENT_FORMAT, uint(TEXT)), (BLOCK2, uint(block // 1024 << 4 | more | 6))]
            part = LARGE[block : block + 1024]
            device.send(datagram(ACK, CONTENT, request.message_id, request.token, options, part))

    await served(serve)
    read = await fleet.reaches(small, "CONFIRMED", 1)
    assert [(one["path"], one["type"], one["value"]) for one in read["values"]] == [("3/0/0", "string", "maker")]
    cut = await fleet.reaches(large, "CONFIRMED", 1)
    assert (cut["code"], cut["values"]) == ("2.05", [])
    assert "bytes of values were left out: an operation keeps 400000" in cut["diagnostic"]
