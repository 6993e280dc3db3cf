"""Simulated devices that fetch, are pushed, and install real bytes, through the real gateway."""

from __future__ import annotations

import hashlib
import io
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_schemas.commands import (
    CommandAnswer,
    ExecuteResource,
    OfferFirmware,
    PushFirmware,
    ReadResource,
)
from flownexus_simulator.image import make
from harness.asking import ask
from harness.embedded import RunningNats
from harness.fleet import RunningFleet
from harness.waiting import until

ENDPOINT, FIRMWARE = "sim-00000", "9f3c5d1e7a2b4c68"
IMAGE = make("thermometer", "2.0.0", 100_001)
DIGEST = hashlib.sha256(IMAGE).hexdigest()

Start = Callable[..., Awaitable["Device"]]


class Device:
    """A simulated device, and whoever asks it through the gateway."""

    def __init__(self, client: Client, fleet: RunningFleet) -> None:
        self.client, self.fleet = client, fleet

    async def read(self, path: str) -> object:
        answer = await ask(self.client, ReadResource(endpoint=ENDPOINT, path=path))
        return answer.values[0].value if answer.values else answer.code

    async def offer(self) -> CommandAnswer:
        return await ask(
            self.client,
            OfferFirmware(endpoint=ENDPOINT, firmware=FIRMWARE, update_id="u-1", scheme="coap", link_lifetime_s=60),
        )

    async def push(self, offset: int, **changes: object) -> CommandAnswer:
        command = PushFirmware(endpoint=ENDPOINT, firmware=FIRMWARE, update_id="u-1", offset=offset, token="0a0b")
        return await ask(self.client, command.model_copy(update=changes))

    async def reaches(self, state: int, timeout_s: float = 30) -> None:
        async def is_there() -> bool:
            return await self.read("5/0/3") == state

        reached: bool = await until(is_there, timeout_s, f"state {state}")
        assert reached

    async def install(self) -> str:
        """Execute the update; the version after it, once the device says that it has done it."""
        assert (await ask(self.client, ExecuteResource(endpoint=ENDPOINT, path="5/0/2"))).code == "2.04"
        await self.reaches(0)
        assert await self.read("5/0/5") == 1
        return str(await self.read("3/0/3"))


@pytest.fixture
async def start(
    js: JetStreamContext, nats_server: RunningNats, service: ServiceFactory, tmp_path: Path
) -> AsyncIterator[Start]:
    """Starts the one device with these options of the simulator, with the image in the store."""
    gateway = service("flownexus_gateway")
    await FirmwareImages(lambda: js).put(FIRMWARE, io.BytesIO(IMAGE))
    client = await nats.connect(nats_server.url)
    fleets: list[RunningFleet] = []

    async def started(*options: str) -> Device:
        port = int(gateway.env["FLOWNEXUS_COAP_PORT"])
        fleets.append(RunningFleet(tmp_path / "fleet", port, "--devices=1", "--interval=600", *options))
        device = Device(client, fleets[-1])
        registered: bool = await until(lambda: _is_registered(device), 30, "the registration")
        assert registered
        return device

    yield started
    for fleet in fleets:
        fleet.kill()
    await client.close()


async def _is_registered(device: Device) -> bool:
    try:
        return await device.read("5/0/3") == 0
    except AssertionError:
        return False


async def test_a_device_pulls_what_it_is_offered_and_runs_it(start: Start) -> None:
    device = await start()
    assert (await device.offer()).code == "2.04"
    await device.reaches(2)
    assert (await device.read("5/0/7"), await device.read("3/0/3")) == ("2.0.0", "1.0.0")
    assert await device.install() == "2.0.0"
    assert [(one["via"], one["sha256"], one["result"]) for one in device.fleet.firmware()] == [
        ("coap", DIGEST, 0),
        ("coap", DIGEST, 1),
    ]


async def test_a_device_that_restarts_in_the_middle_goes_on_from_there(start: Start) -> None:
    device = await start("--firmware-restart-at=50", "--firmware-keeps-download")
    assert (await device.offer()).code == "2.04"
    await device.reaches(2)
    assert device.fleet.firmware()[0]["sha256"] == DIGEST


async def test_a_device_is_pushed_an_image_in_parts_and_runs_it(start: Start) -> None:
    device = await start("--firmware-method=push")
    answer = await device.push(0, slice_s=0.05)
    while answer.code == "2.31":
        assert answer.block_size == 512
        answer = await device.push(answer.transferred or 0, slice_s=0.05, block_size=512)
    assert (answer.code, answer.transferred) == ("2.04", len(IMAGE))
    assert await device.install() == "2.0.0"
    assert device.fleet.firmware()[0]["sha256"] == DIGEST


async def test_a_device_that_restarts_in_a_push_gets_it_from_the_beginning(start: Start) -> None:
    device = await start("--firmware-restart-at=50")
    # The block that it does not answer comes again when it is back, and is of nothing that it knows.
    answer = await device.push(0, timeout_s=30, slice_s=30)
    assert (answer.code, answer.transferred) == ("2.04", len(IMAGE))
    assert [one["sha256"] for one in device.fleet.firmware()] == [DIGEST]
    assert device.fleet.stop()["registrations"] == 2


async def test_a_device_finds_a_byte_that_is_wrong(start: Start) -> None:
    device = await start("--firmware-fault=corrupt", "--firmware-fault-times=1")
    await device.offer()
    await device.reaches(0)
    await until(device.fleet.firmware, what="the end of the download")
    assert await device.read("5/0/5") == 5
    await device.offer()
    await device.reaches(2)
    assert [one["result"] for one in device.fleet.firmware()] == [5, 0]
