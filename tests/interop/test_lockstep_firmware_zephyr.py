"""Firmware for a device with the habits of Zephyr's client, whose bytes are written by hand."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_schemas.commands import CommandAnswer, ExecuteResource, OfferFirmware, PushFirmware, ReadResource
from flownexus_schemas.events import EndpointRegistered, ValuesReported
from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from flownexus_simulator.image import make
from harness.asking import ask
from harness.services import ServiceProcess
from harness.waiting import until
from harness.zephyr_firmware import DOWNLOADED, DOWNLOADING, IDLE, UPDATING, digest
from harness.zephyr_like import ZephyrLike
from integration.gateway.gateway_events import Events
from interop.habits import NAME, reported

GOOD, DAMAGED = "9f3c5d1e7a2b4c68", "9f3c5d1e7a2b4c69"
IMAGE = make("thermometer", "2.0.0", 100_001)


@pytest.fixture
def profile() -> ObservationProfile:
    """The state is observed."""
    return ObservationProfile(observe=(SingleObservation(path="5/0/3"),))


@pytest.fixture
async def gateway_port(js: JetStreamContext, gateway: ServiceProcess) -> int:
    """With the image in the store, and one of which a byte is wrong."""
    await FirmwareImages(lambda: js).put(GOOD, io.BytesIO(IMAGE))
    await FirmwareImages(lambda: js).put(DAMAGED, io.BytesIO(IMAGE[:-1] + bytes((IMAGE[-1] ^ 1,))))
    return int(gateway.env["FLOWNEXUS_COAP_PORT"])


@pytest.fixture
def restart_at() -> float | None:
    return None


@pytest.fixture
async def device(gateway_port: int, events: Events, restart_at: float | None) -> AsyncIterator[ZephyrLike]:
    """Registered and observed."""
    with ZephyrLike(gateway_port, NAME, restart_at=restart_at).running() as one:
        await events.wait(EndpointRegistered)
        await events.wait(ValuesReported)
        yield one


async def read(bus: Client, path: str) -> object:
    answer = await ask(bus, ReadResource(endpoint=NAME, path=path))
    return answer.values[0].value if answer.values else answer.code


async def reaches(device: ZephyrLike, state: int) -> None:
    await until(lambda: device.firmware.state == state, 60, f"state {state}")


async def offer(bus: Client, firmware: str = GOOD) -> None:
    command = {"endpoint": NAME, "firmware": firmware, "update_id": "u-1", "scheme": "coap", "link_lifetime_s": 600}
    assert (await ask(bus, OfferFirmware.model_validate(command))).code == "2.04"


async def push(bus: Client, answer: CommandAnswer | None = None, firmware: str = GOOD) -> CommandAnswer:
    """All parts from where the last answer said."""
    answer = answer or CommandAnswer(code="2.31", transferred=0, block_size=1024)
    while answer.code == "2.31":
        command = {"endpoint": NAME, "firmware": firmware, "update_id": "u-1", "token": "0a0b0c", "slice_s": 0.1}
        command |= {"offset": answer.transferred, "block_size": answer.block_size, "timeout_s": 20}
        answer = await ask(bus, PushFirmware.model_validate(command))
    return answer


async def installed(bus: Client, device: ZephyrLike) -> tuple[object, object]:
    """Result and version after the restart."""
    boots = device.boots
    assert (await ask(bus, ExecuteResource(endpoint=NAME, path="5/0/2"))).code == "2.04"
    await until(lambda: device.boots > boots, what="the restart")
    registered = False
    while not registered:
        registered = await read(bus, "5/0/3") == IDLE
    return await read(bus, "5/0/5"), await read(bus, "3/0/3")


async def test_it_fetches_what_it_is_offered_says_each_state_and_starts_with_the_new_version(
    bus: Client, events: Events, device: ZephyrLike
) -> None:
    await offer(bus)
    await reaches(device, DOWNLOADED)
    assert device.firmware.digests == [digest(IMAGE)]
    states = await events.wait(ValuesReported, 3)
    assert reported(states) == [[("5/0/3", IDLE)], [("5/0/3", DOWNLOADING)], [("5/0/3", DOWNLOADED)]]
    assert await installed(bus, device) == (1, "2.0.0")


async def test_it_is_pushed_an_image_by_blocks_of_one_token_and_starts_with_it(bus: Client, device: ZephyrLike) -> None:
    answer = await push(bus)
    assert (answer.code, answer.transferred, answer.block_size) == ("2.04", len(IMAGE), 512)
    assert device.firmware.digests == [digest(IMAGE)]
    assert await installed(bus, device) == (1, "2.0.0")


@pytest.mark.parametrize("restart_at", [0, 50, 99])
async def test_a_push_in_which_it_restarts_begins_anew_and_is_whole(bus: Client, device: ZephyrLike) -> None:
    answer = await push(bus)
    assert (answer.code, device.boots, device.firmware.digests) == ("2.04", 2, [digest(IMAGE)])


@pytest.mark.parametrize("restart_at", [0, 50, 99])
async def test_a_download_in_which_it_restarts_is_forgotten_and_offered_again(bus: Client, device: ZephyrLike) -> None:
    await offer(bus)
    await until(lambda: device.boots == 2, 30, "the restart")
    await reaches(device, IDLE)
    await asyncio.wait_for(_offered_until_it_begins(bus, device), 30)
    await reaches(device, DOWNLOADED)
    assert device.firmware.digests == [digest(IMAGE)]


async def _offered_until_it_begins(bus: Client, device: ZephyrLike) -> None:
    while device.firmware.state == IDLE:
        await offer(bus)


async def test_a_link_while_it_downloads_is_2_04_and_changes_nothing(bus: Client, device: ZephyrLike) -> None:
    assert (await push(bus)).code == "2.04"
    await offer(bus)
    assert (device.firmware.state, len(device.firmware.digests)) == (DOWNLOADED, 1)


async def test_a_checksum_that_does_not_fit_is_result_5_fetched_or_pushed(bus: Client, device: ZephyrLike) -> None:
    await offer(bus, DAMAGED)
    await until(lambda: device.firmware.result == 5, 30, "result 5")
    # Its word for it is 4.08: the image is not sent again for that.
    pushed = await push(bus, firmware=DAMAGED)
    assert (pushed.code, device.firmware.state, device.firmware.result) == ("4.08", IDLE, 5)


async def test_what_it_does_not_have_is_not_installed(bus: Client, device: ZephyrLike) -> None:
    assert (await ask(bus, ExecuteResource(endpoint=NAME, path="5/0/2"))).code == "4.05"
    assert device.firmware.state not in {DOWNLOADED, UPDATING}
