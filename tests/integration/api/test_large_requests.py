"""Values of megabytes to devices and from them, over REST: no message of NATS holds them."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_api import accounts
from flownexus_schemas.subjects import LARGE_MESSAGES
from harness.lockstep import (
    ACK,
    BLOCK1,
    BLOCK2,
    CHANGED,
    CONTENT,
    CONTENT_FORMAT,
    GET,
    PUT,
    LockstepDevice,
    datagram,
    uint,
)
from harness.waiting import until
from integration.api.conftest import PASSWORD

CONTINUE, MORE, SIZE_1024 = 0x5F, 8, 6
OPAQUE = 42
NAME = "large-1"
URL = f"/api/v1/endpoints/{NAME}"


@pytest.fixture
async def client(service: ServiceFactory, database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    api = service("flownexus_api")
    async with httpx.AsyncClient(base_url=api.health_url, timeout=100, trust_env=False) as client:
        accounts.add_user(database_url, "operator", "operator", PASSWORD)
        form = {"username": "operator", "password": PASSWORD}
        answer = await client.post("/api/v1/auth/token", data=form)
        client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


@pytest.fixture
async def device(
    js: JetStreamContext, service: ServiceFactory, client: httpx.AsyncClient
) -> AsyncIterator[LockstepDevice]:
    """Registered, and known to the API."""
    gateway = service("flownexus_gateway")
    service("flownexus_ingest")
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), NAME, timeout_s=20) as one:
        one.register("</5/0>")

        async def known() -> str | None:
            return NAME if (await client.get(URL)).status_code == 200 else None

        came: str = await until(known, 30, "the device in the API")
        assert came == NAME
        yield one


async def asked(client: httpx.AsyncClient, serve: Callable[[], None], **request: object) -> httpx.Response:
    """The answer to a request that `serve` carries out as the device."""
    answer = asyncio.create_task(client.post(f"{URL}/requests", json={"timeout_s": 90} | request))
    await asyncio.to_thread(serve)
    return await answer


async def stored(js: JetStreamContext) -> int:
    """Bodies that are in the object store."""
    chunks = await js.stream_info(f"OBJ_{LARGE_MESSAGES}", subjects_filter=f"$O.{LARGE_MESSAGES}.C.>")
    return len(chunks.state.subjects or {})


async def test_a_value_of_three_megabytes_is_written(
    js: JetStreamContext, client: httpx.AsyncClient, device: LockstepDevice
) -> None:
    image = bytes(range(256)) * 4 * 3 * 1024
    received = bytearray()

    def serve() -> None:
        more = True
        while more:
            request = device.expect_request(PUT, "5/0/0")
            block = request.number(BLOCK1) or 0
            received.extend(request.payload)
            more = bool(block & MORE)
            options = [(BLOCK1, uint(block))]
            device.send(datagram(ACK, CONTINUE if more else CHANGED, request.message_id, request.token, options))

    answer = await asked(client, serve, operation="write", path="5/0/0", value=base64.b64encode(image).decode())
    assert (answer.status_code, answer.json()["code"]) == (200, "2.04"), answer.text
    assert received == image
    assert await stored(js) == 0


@pytest.mark.parametrize("kibibytes", [690, 1000])
async def test_an_answer_that_no_message_holds_is_answered_whole(
    js: JetStreamContext, client: httpx.AsyncClient, device: LockstepDevice, kibibytes: int
) -> None:
    data = bytes(range(256)) * 4 * kibibytes

    def serve() -> None:
        for number in range(len(data) // 1024):
            request = device.expect_request(GET, "5/0/0")
            more = MORE if (number + 1) * 1024 < len(data) else 0
            options = [(CONTENT_FORMAT, uint(OPAQUE)), (BLOCK2, uint(number << 4 | more | SIZE_1024))]
            block = data[number * 1024 : (number + 1) * 1024]
            device.send(datagram(ACK, CONTENT, request.message_id, request.token, options, block))

    answer = await asked(client, serve, operation="read", path="5/0/0")
    assert answer.status_code == 200, answer.text
    (value,) = answer.json()["values"]
    assert base64.b64decode(value["value"]) == data
    assert await stored(js) == 0


async def test_a_body_above_the_limit_is_refused(client: httpx.AsyncClient, device: LockstepDevice) -> None:
    answer = await client.post(
        f"{URL}/requests", json={"operation": "write", "path": "5/0/0", "value": "A" * 9_000_000}
    )
    assert (answer.status_code, answer.headers["content-type"]) == (413, "application/problem+json")
    assert "send less" in answer.json()["detail"]
