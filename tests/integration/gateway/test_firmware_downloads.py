# mypy: allow-untyped-calls
"""Firmware images pulled over CoAP, by the bytes of the wire and by another project's client."""

from __future__ import annotations

import asyncio
import io
import random
import time
from collections.abc import Iterator

import pytest
from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.protocol import Context
from nats.js import JetStreamContext

from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_runtime.firmware_links import FirmwareLinks, load_links
from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import ACK, BLOCK2, CON, CONTENT, GET, POST, URI_PATH, Heard, LockstepDevice, datagram, uint
from harness.services import ServiceProcess

IMAGE = random.Random(7).randbytes(300_001)
NAME, OTHER = "9f3c5d1e7a2b4c68", "00000000000000aa"
SIZE2, ETAG, MORE = 28, 4, 8
BAD_REQUEST, FORBIDDEN, NOT_FOUND, METHOD_NOT_ALLOWED = 0x80, 0x83, 0x84, 0x85


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile()


@pytest.fixture
async def links(js: JetStreamContext) -> FirmwareLinks:
    """With the image in the store."""
    await FirmwareImages(lambda: js).put(NAME, io.BytesIO(IMAGE))
    return await load_links(js)


@pytest.fixture
def client(gateway: ServiceProcess) -> Iterator[LockstepDevice]:
    """From a port that nobody registered from."""
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "downloader") as one:
        yield one


def fetch(
    client: LockstepDevice,
    path: str,
    block2: int | None,
    *,
    token: bytes = b"t",
    code: int = GET,
    mid: int | None = None,
) -> Heard:
    options = [(URI_PATH, part.encode()) for part in path.split("/")]
    if block2 is not None:
        options.append((BLOCK2, uint(block2)))
    return client.exchange(datagram(CON, code, next(client.message_ids) if mid is None else mid, token, options))


def link(links: FirmwareLinks, image: str = NAME, seconds: int = 600) -> str:
    return links.path(image, int(time.time()) + seconds)


@pytest.mark.parametrize("exponent", [5, 6, 2])
async def test_every_block_with_one_token_as_zephyr_asks(
    client: LockstepDevice, links: FirmwareLinks, exponent: int
) -> None:
    size, path = 1 << exponent + 4, link(links)
    last = (len(IMAGE) - 1) // size
    wanted = range(last + 1) if exponent > 2 else (*range(40), last)
    for number in wanted:
        heard = await asyncio.to_thread(fetch, client, path, number << 4 | exponent)
        assert (heard.type, heard.code, heard.token) == (ACK, CONTENT, b"t")
        more = MORE if number < last else 0
        assert heard.number(BLOCK2) == number << 4 | more | exponent
        assert heard.payload == IMAGE[number * size : (number + 1) * size]
        assert heard.all(ETAG) == [bytes.fromhex(NAME)]
        assert heard.all(SIZE2) == ([] if number else [uint(len(IMAGE))])


async def test_a_first_request_without_a_size_and_a_repeated_one_are_answered(
    client: LockstepDevice, links: FirmwareLinks
) -> None:
    path = link(links)
    for _ in range(2):
        heard = await asyncio.to_thread(lambda: fetch(client, path, None, mid=7))
        assert (heard.number(BLOCK2), heard.payload) == (MORE | 6, IMAGE[:1024])
    small = await asyncio.to_thread(fetch, client, path, 1 << 4 | 3)  # the client chose a smaller one
    assert small.payload == IMAGE[128:256]


async def test_it_goes_on_anywhere_after_the_gateway_was_killed(
    client: LockstepDevice, links: FirmwareLinks, gateway: ServiceProcess
) -> None:
    path = link(links)
    assert (await asyncio.to_thread(fetch, client, path, 6)).payload == IMAGE[:1024]
    gateway.kill()
    gateway.start()
    client.move()
    heard = await asyncio.to_thread(fetch, client, path, 200 << 4 | 6, token=b"other")
    assert heard.payload == IMAGE[200 * 1024 : 201 * 1024]


async def test_what_is_not_there_or_not_allowed_is_refused(
    client: LockstepDevice, links: FirmwareLinks, js: JetStreamContext
) -> None:
    path = link(links)
    _, signed, _ = path.split("/")
    for wanted, block2, code, says in (
        (f"fw/{signed}/{OTHER}", 6, FORBIDDEN, b"made here"),
        ("fw/x/y", 6, FORBIDDEN, b"made here"),
        (link(links, seconds=-1), 6, FORBIDDEN, b"ask for another"),
        (link(links, OTHER), 6, NOT_FOUND, b"no firmware"),
        (path, 293 << 4 | 6, BAD_REQUEST, b"no block 293"),
        (path, 7, BAD_REQUEST, b"16 to 1,024"),
    ):
        refused = await asyncio.to_thread(fetch, client, wanted, block2)
        assert (refused.code, says in refused.payload) == (code, True), refused
    assert (await asyncio.to_thread(lambda: fetch(client, path, None, code=POST))).code == METHOD_NOT_ALLOWED
    await FirmwareImages(lambda: js).delete(NAME)


async def test_aiocoap_fetches_the_whole_and_many_at_a_time_get_the_same(
    gateway: ServiceProcess, links: FirmwareLinks
) -> None:
    uri = f"coap://127.0.0.1:{gateway.env['FLOWNEXUS_COAP_PORT']}/{link(links)}"
    contexts = [await Context.create_client_context() for _ in range(5)]
    try:
        answers = await asyncio.gather(
            *(context.request(Message(code=Code.GET, uri=uri)).response for context in contexts)
        )
    finally:
        for context in contexts:
            await context.shutdown()
    assert [answer.payload == IMAGE for answer in answers] == [True] * 5
