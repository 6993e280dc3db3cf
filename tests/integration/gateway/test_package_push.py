"""Firmware pushed to devices in parts of many blocks. RFC 7959, 2.5; LwM2M Core 1.1.1, E.6."""

from __future__ import annotations

import asyncio
import io
import random

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandAnswer, CommandFailure, PushFirmware, ReadResource, answer_adapter
from harness.asking import ask
from harness.commanded import answered, commanded
from harness.lockstep import (
    ACK,
    BLOCK1,
    CHANGED,
    CONTENT_FORMAT,
    CREATED,
    GET,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    PUT,
    TLV,
    UNSUPPORTED_FORMAT,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.services import ServiceProcess
from integration.gateway.gateway_events import NewDevice

IMAGE = random.Random(5).randbytes(20_001)
NAME, MISSING = "9f3c5d1e7a2b4c68", "00000000000000aa"
LINKS = '</>;rt="oma.lwm2m";ct=110,</5/0>'
CONTINUE, INCOMPLETE, TOO_LARGE = 0x5F, 0x88, 0x8D
SIZE1, MORE, SIZE_512, OPAQUE = 60, 8, 5, 42
TOKEN = "0102030405060708"
LONG_S, AT_ONCE_S = 60.0, 1e-9


@pytest.fixture
async def client(js: JetStreamContext) -> Client:
    """With the image in the store."""
    await FirmwareImages(lambda: js).put(NAME, io.BytesIO(IMAGE))
    return js._nc


def push(offset: int = 0, slice_s: float = LONG_S, **changes: object) -> PushFirmware:
    given = {"endpoint": "device-1", "firmware": NAME, "update_id": "u-1", "token": TOKEN, "offset": offset}
    return PushFirmware.model_validate(given | {"slice_s": slice_s} | changes)


class Package:
    """A device that takes a package: `received` is what it has, `heard` every block that came."""

    def __init__(self, device: LockstepDevice, size_exponent: int = 6) -> None:
        self.device, self.size_exponent = device, size_exponent
        self.received = bytearray()
        self.heard: list[tuple[int, int]] = []
        assert device.register(LINKS).code == CREATED

    def expect(self) -> tuple[Heard, int]:
        request = self.device.expect_request(PUT, "5/0/0")
        block = request.number(BLOCK1)
        assert block is not None
        assert request.token.hex() == TOKEN
        self.heard.append((block >> 4, 16 << (block & 7)))
        return request, block

    def refuse(self, code: int, *, block1: bool = True) -> None:
        """Answer the next block with an error, and forget all."""
        request, block = self.expect()
        options = [(BLOCK1, uint(block >> 4 << 4 | min(block & 7, self.size_exponent)))] if block1 else []
        self.device.send(datagram(ACK, code, request.message_id, request.token, options))
        self.received.clear()

    def take(self, count: int | None = None) -> None:
        """Take so many blocks, or all to the last."""
        more = True
        while more and count != 0:
            request, block = self.expect()
            assert block >> 4 << (block & 7) + 4 == len(self.received), self.heard
            self.received += request.payload
            more = bool(block & MORE)
            options = [(BLOCK1, uint(block >> 4 << 4 | (block & MORE) | min(block & 7, self.size_exponent)))]
            code = CONTINUE if more else CHANGED
            self.device.send(datagram(ACK, code, request.message_id, request.token, options))
            count = None if count is None else count - 1


@pytest.fixture
def package(device: NewDevice) -> Package:
    return Package(device())


def stands(answer: CommandAnswer) -> tuple[str, int | None, int | None]:
    return answer.code, answer.transferred, answer.block_size


async def test_an_image_goes_in_parts_that_have_one_token_and_go_on_where_the_last_ended(
    client: Client, device: NewDevice
) -> None:
    package = Package(device(), SIZE_512)
    answer = await answered(client, push(slice_s=AT_ONCE_S), lambda: package.take(1))
    # What came in a block of 1,024 is kept: the next is block 2 of 512.
    assert stands(answer) == ("2.31", 1024, 512)
    answer = await answered(client, push(1024, AT_ONCE_S, block_size=512), lambda: package.take(1))
    assert stands(answer) == ("2.31", 1536, 512)
    answer = await answered(client, push(1536, block_size=512), package.take)
    assert stands(answer) == ("2.04", len(IMAGE), 512)
    assert package.received == IMAGE
    assert package.heard[:4] == [(0, 1024), (2, 512), (3, 512), (4, 512)]


async def test_the_first_block_says_how_large_the_image_is_and_every_one_that_it_is_opaque(
    client: Client, package: Package
) -> None:
    seen: list[tuple[int | None, int | None]] = []
    expect = package.expect

    def noted() -> tuple[Heard, int]:
        request, block = expect()
        seen.append((request.number(SIZE1), request.number(CONTENT_FORMAT)))
        return request, block

    package.expect = noted  # type: ignore[method-assign]
    await answered(client, push(), package.take)
    assert seen == [(len(IMAGE), OPAQUE)] + [(None, OPAQUE)] * 19


@pytest.mark.parametrize("code", [INCOMPLETE, NOT_FOUND])
async def test_a_device_that_lost_the_transfer_gets_it_again_from_block_0(
    client: Client, package: Package, code: int
) -> None:
    def serve() -> None:
        package.take(5)
        package.refuse(code, block1=False)
        package.take()

    assert stands(await answered(client, push(), serve)) == ("2.04", len(IMAGE), 1024)
    assert package.received == IMAGE
    assert [number for number, _ in package.heard[:8]] == [0, 1, 2, 3, 4, 5, 0, 1]


@pytest.mark.parametrize("code", [INCOMPLETE, NOT_FOUND, METHOD_NOT_ALLOWED, 0x80, 0xA0])
async def test_a_device_that_restarted_between_two_parts_gets_it_again_from_block_0(
    client: Client, package: Package, code: int
) -> None:
    def serve() -> None:
        package.refuse(code, block1=False)
        package.take()

    assert stands(await answered(client, push(8 * 1024), serve)) == ("2.04", len(IMAGE), 1024)
    assert package.received == IMAGE
    assert package.heard[0] == (8, 1024)


async def test_what_is_too_large_goes_in_smaller_blocks_from_the_beginning(client: Client, device: NewDevice) -> None:
    package = Package(device(), SIZE_512)

    def serve() -> None:
        package.refuse(TOO_LARGE)
        package.take()

    assert stands(await answered(client, push(), serve)) == ("2.04", len(IMAGE), 512)
    assert package.received == IMAGE


async def test_a_device_without_room_for_it_refuses_it(client: Client, package: Package) -> None:
    def serve() -> None:
        package.take(2)
        package.refuse(TOO_LARGE, block1=False)

    assert stands(await answered(client, push(), serve)) == ("4.13", 2048, 1024)


async def test_a_device_that_takes_no_opaque_bytes_gets_them_as_tlv(client: Client, package: Package) -> None:
    formats: list[int | None] = []
    expect = package.expect

    def noted() -> tuple[Heard, int]:
        request, block = expect()
        formats.append(request.number(CONTENT_FORMAT))
        return request, block

    package.expect = noted  # type: ignore[method-assign]

    def all_of_it() -> None:
        package.refuse(UNSUPPORTED_FORMAT, block1=False)
        package.take()

    assert stands(await answered(client, push(), all_of_it)) == ("2.04", len(IMAGE), 1024)
    # Resource 0, a length of 16 bits: LwM2M Core 1.1.1, 7.4.
    assert package.received == bytes((0xD0, 0x00)) + len(IMAGE).to_bytes(2) + IMAGE
    assert formats == [OPAQUE] + [TLV] * 20


async def test_a_refusal_of_both_formats_is_the_answer(client: Client, package: Package) -> None:
    def serve() -> None:
        package.refuse(UNSUPPORTED_FORMAT, block1=False)
        package.refuse(UNSUPPORTED_FORMAT, block1=False)

    assert stands(await answered(client, push(), serve)) == ("4.15", 0, 1024)


async def test_silence_in_the_middle_tells_how_far_it_came(client: Client, package: Package) -> None:
    answer = await answered(client, push(timeout_s=1.5), lambda: package.take(3))
    assert stands(answer) == ("2.31", 3072, 1024)


async def test_silence_at_once_is_no_answer(client: Client, package: Package) -> None:
    failure = await commanded(client, push(1024, timeout_s=0.5), package.expect)
    assert isinstance(failure, CommandFailure)
    assert failure.error == "no-answer"


async def test_a_gateway_that_stops_says_how_far_it_came_and_another_process_goes_on(
    client: Client, package: Package, gateway: ServiceProcess
) -> None:
    asked = asyncio.create_task(
        client.request(subjects.gateway_request("gw-1"), push().model_dump_json().encode(), timeout=30)
    )
    await asyncio.to_thread(package.take, 4)
    stopping = asyncio.create_task(asyncio.to_thread(gateway.stop))
    more = await asyncio.to_thread(_take_until_silent, package)
    answer = answer_adapter.validate_json((await asked).data)
    await stopping
    assert isinstance(answer, CommandAnswer)
    assert stands(answer) == ("2.31", (4 + more) * 1024, 1024)
    assert len(package.received) == answer.transferred
    gateway.start()
    assert stands(await answered(client, push(answer.transferred or 0), package.take)) == ("2.04", len(IMAGE), 1024)
    assert package.received == IMAGE


def _take_until_silent(package: Package) -> int:
    taken = 0
    while True:
        try:
            package.take(1)
        except Silence:
            return taken
        taken += 1


async def test_nothing_else_is_asked_of_the_device_between_two_blocks(client: Client, package: Package) -> None:
    read = ReadResource(endpoint="device-1", path="3/0/0", format=0)

    asking = asyncio.Event()
    loop = asyncio.get_running_loop()

    def serve() -> None:
        package.take(1)
        loop.call_soon_threadsafe(asking.set)
        package.take()
        package.device.answer(package.device.expect_request(GET, "3/0/0"), payload=b"maker", content_format=0)

    pushing = asyncio.create_task(answered(client, push(), serve))
    await asking.wait()
    answer, pushed = await asyncio.gather(ask(client, read), pushing)
    assert (pushed.code, answer.values[0].value) == ("2.04", "maker")
    assert package.received == IMAGE


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (push(firmware=MISSING), f"no firmware {MISSING}"),
        (push(1000), "begins at 1000"),
        (push(20_480), "begins at 20480"),
        (push(format=112), "not in 112"),
    ],
)
async def test_what_cannot_be_pushed_never_reaches_the_device(
    client: Client, package: Package, command: PushFirmware, says: str
) -> None:
    failure = await commanded(client, command)
    assert isinstance(failure, CommandFailure)
    assert (failure.error, says in failure.reason) == ("invalid", True), failure
    with pytest.raises(Silence):
        package.device.receive(0.3)
