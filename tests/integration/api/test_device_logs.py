"""Lines that a device logs, from its Send or notification to the list, the search and the live stream."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

import httpx
from httpx_sse import EventSource
from nats.js import JetStreamContext

from harness.lockstep import (
    ACK,
    CHANGED,
    CON,
    CONTENT_FORMAT,
    GET,
    POST,
    SENML_JSON,
    URI_PATH,
    LockstepDevice,
    datagram,
    uint,
)
from harness.waiting import until

if TYPE_CHECKING:
    from conftest import ServiceFactory

LOGS, REQUESTS = "/api/v1/endpoints/node-1/logs", "/api/v1/endpoints/node-1/requests"
OPAQUE = 42
LINES = b"[00:00:01.250,000] <wrn> modem: cell reselection\n[00:00:02.000,000] <inf> app: Started 100%\n"


async def shown(client: httpx.AsyncClient, query: str, count: int) -> list[dict[str, Any]]:
    """The lines, the newest first, once there are so many."""

    found: list[dict[str, Any]] = []

    async def there() -> bool:
        answer = await client.get(f"{LOGS}?{query}")
        found[:] = answer.json()["items"] if answer.is_success else ()
        return answer.is_success and len(found) == count

    is_shown: bool = await until(there, 20, f"{count} lines for {query}")
    assert is_shown
    return found


def sent(device: LockstepDevice, data: bytes, at: float) -> bytes:
    """A Send of log data."""
    pack = [{"n": "/20/0/4014", "vd": base64.urlsafe_b64encode(data).decode().rstrip("="), "t": at}]
    options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(SENML_JSON))]
    return datagram(CON, POST, next(device.message_ids), b"s", options, json.dumps(pack).encode())


async def test_lines_that_a_device_sends_are_listed_searched_and_followed(
    operator: httpx.AsyncClient, js: JetStreamContext, service: ServiceFactory
) -> None:
    gateway = service("flownexus_gateway")
    service("flownexus_ingest")
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "node-1") as device:
        device.register("</1/0>,</20/0>")
        await shown(operator, "", 0)
        async with operator.stream("GET", "/api/v1/stream?endpoint=node-1&kind=log", timeout=20) as response:
            source = EventSource(response).aiter_sse()
            await anext(source)
            at = time.time() - 60
            message = sent(device, LINES, at)
            assert (await asyncio.to_thread(device.exchange, message)).code == CHANGED
            live = [json.loads((await anext(source)).data)["data"] for _ in range(2)]
        assert [(line["level"], line["text"].split("> ")[1]) for line in live] == [
            ("warning", "modem: cell reselection"),
            ("info", "app: Started 100%"),
        ]
        # The same datagram again is the same lines.
        assert (await asyncio.to_thread(device.exchange, message)).code == CHANGED

        lines = await shown(operator, "", 2)
        assert [line["level"] for line in lines] == ["info", "warning"]
        assert {line["time"] for line in lines} == {live[0]["time"]}
        for query, texts in {
            "level=warning": ["modem: cell reselection"],
            "q=started%20100%25": ["app: Started 100%"],
            "to=2020-01-01T00:00:00Z": [],
        }.items():
            found = await shown(operator, query, len(texts))
            assert [line["text"].split("> ")[1] for line in found] == texts, query

        # What is not text is kept as a value alone.
        assert (await asyncio.to_thread(device.exchange, sent(device, b"\xc8\x00\x05hello", at))).code == CHANGED
        # And what is read is log data too.
        asked = {"operation": "read", "path": "20/0/4014"}
        answer = asyncio.create_task(operator.post(REQUESTS, json=asked))

        def serve() -> None:
            request = device.expect_request(GET, "20/0/4014")
            options = [(CONTENT_FORMAT, uint(OPAQUE))]
            device.send(datagram(ACK, 0x45, request.message_id, request.token, options, b"<err> net: down\n"))

        await asyncio.to_thread(serve)
        assert (await answer).json()["code"] == "2.05"
        newest = await shown(operator, "", 3)
        assert (newest[0]["level"], newest[0]["text"]) == ("error", "<err> net: down")
