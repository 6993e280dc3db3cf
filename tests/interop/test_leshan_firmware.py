"""Firmware for a device of Leshan's client library: fetched by Californium's client and by HTTP, and pushed to it."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import Awaitable, Callable

import httpx
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_schemas.commands import CommandAnswer, ExecuteResource, OfferFirmware, PushFirmware, ReadResource
from flownexus_simulator.image import make
from harness.asking import ask
from harness.services import ServiceProcess
from harness.waiting import until
from interop.leshan_device import FIRMWARE, LeshanDevice, build, running_firmware_device

pytestmark = pytest.mark.timeout(300)

ENDPOINT, GOOD, DAMAGED = "leshan-fw", "9f3c5d1e7a2b4c68", "9f3c5d1e7a2b4c69"
IMAGE = make("thermometer", "2.0.0", 1_000_001)
WHOLE = f"downloaded {len(IMAGE)} {hashlib.sha256(IMAGE).hexdigest()}"
IDLE, DOWNLOADED = 0, 2


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The device, compiled."""
    return build(tmp_path_factory.mktemp("leshan"), FIRMWARE)


@pytest.fixture
async def gateway(js: JetStreamContext, service: ServiceFactory) -> ServiceProcess:
    """With the image in the store, and one of which a byte is wrong; the api serves them by HTTP."""
    await FirmwareImages(lambda: js).put(GOOD, io.BytesIO(IMAGE))
    await FirmwareImages(lambda: js).put(DAMAGED, io.BytesIO(IMAGE[:-1] + bytes((IMAGE[-1] ^ 1,))))
    api = service("flownexus_api")
    return service("flownexus_gateway", FLOWNEXUS_FIRMWARE_HTTP_URL=api.health_url)


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


@pytest.fixture
def coap_port(gateway: ServiceProcess) -> int:
    return int(gateway.env["FLOWNEXUS_COAP_PORT"])


async def read(client: Client, path: str) -> object:
    answer = await ask(client, ReadResource(endpoint=ENDPOINT, path=path))
    return answer.values[0].value if answer.values else answer.code


async def reaches(client: Client, state: int) -> None:
    async def is_there() -> bool:
        return await read(client, "5/0/3") == state

    reached: bool = await until(is_there, 90, f"state {state}")
    assert reached


async def installed(client: Client, device: LeshanDevice) -> tuple[object, object]:
    """Result and version, after it was told to install what it has and registered again."""
    assert (await ask(client, ExecuteResource(endpoint=ENDPOINT, path="5/0/2"))).code == "2.04"
    await asyncio.to_thread(device.wait_for, "registered", 2)
    await reaches(client, IDLE)
    return await read(client, "5/0/5"), await read(client, "3/0/3")


async def offer(client: Client, scheme: str, firmware: str = GOOD) -> CommandAnswer:
    command = {"endpoint": ENDPOINT, "firmware": firmware, "update_id": "u-1", "link_lifetime_s": 600}
    return await ask(client, OfferFirmware.model_validate(command | {"scheme": scheme}))


async def push(client: Client, wait: Callable[[CommandAnswer], Awaitable[None]] | None = None) -> CommandAnswer:
    """All parts of a push of two seconds each."""
    answer = CommandAnswer(code="2.31", transferred=0, block_size=1024)
    while answer.code == "2.31":
        command = {"endpoint": ENDPOINT, "firmware": GOOD, "update_id": "u-1", "token": "0a0b", "slice_s": 2}
        command |= {"offset": answer.transferred, "block_size": answer.block_size}
        answer = await ask(client, PushFirmware.model_validate(command))
        if wait is not None:
            await wait(answer)
    return answer


@pytest.mark.parametrize("scheme", ["coap", "http"])
async def test_it_fetches_a_megabyte_installs_it_and_registers_with_its_version(
    client: Client, coap_port: int, class_path: str, scheme: str
) -> None:
    with running_firmware_device(class_path, coap_port, ENDPOINT) as device:
        await asyncio.to_thread(device.wait_for, "registered")
        assert (await offer(client, scheme)).code == "2.04"
        await reaches(client, DOWNLOADED)
        assert device.said[-1] == WHOLE
        assert await installed(client, device) == (1, "2.0.0")


async def test_it_is_pushed_a_megabyte_and_installs_it(client: Client, coap_port: int, class_path: str) -> None:
    with running_firmware_device(class_path, coap_port, ENDPOINT, delivery=1) as device:
        await asyncio.to_thread(device.wait_for, "registered")
        answer = await push(client)
        assert (answer.code, answer.transferred, answer.block_size) == ("2.04", len(IMAGE), 512)
        assert device.said[-1] == WHOLE
        assert await installed(client, device) == (1, "2.0.0")


async def test_a_push_to_a_device_that_was_switched_off_meanwhile_begins_anew(
    client: Client, coap_port: int, class_path: str
) -> None:
    with running_firmware_device(class_path, coap_port, ENDPOINT) as device:
        await asyncio.to_thread(device.wait_for, "registered")
        command = {"endpoint": ENDPOINT, "firmware": GOOD, "update_id": "u-1", "token": "0a0b", "slice_s": 0.5}
        begun = await ask(client, PushFirmware.model_validate(command))
        assert begun.code == "2.31"
    with running_firmware_device(class_path, coap_port, ENDPOINT) as device:
        await asyncio.to_thread(device.wait_for, "registered")
        command |= {"offset": begun.transferred, "block_size": 512, "slice_s": 60}
        answer = await ask(client, PushFirmware.model_validate(command))
        assert (answer.code, answer.transferred) == ("2.04", len(IMAGE))
        assert device.said[-1] == WHOLE


async def test_what_it_cannot_take_is_told_by_its_result(client: Client, coap_port: int, class_path: str) -> None:
    with running_firmware_device(class_path, coap_port, ENDPOINT, protocols="0") as device:
        await asyncio.to_thread(device.wait_for, "registered")
        for scheme, firmware, result in (("http", GOOD, 9), ("coap", DAMAGED, 5)):
            assert (await offer(client, scheme, firmware)).code == "2.04"
            await asyncio.to_thread(device.wait_for, f"failed {result}")
            await reaches(client, IDLE)  # it says why first, and is idle after that
            assert await read(client, "5/0/5") == result


async def test_a_gateway_that_is_started_again_serves_the_rest_of_a_download(
    client: Client, coap_port: int, class_path: str, gateway: ServiceProcess
) -> None:
    with running_firmware_device(class_path, coap_port, ENDPOINT) as device:
        await asyncio.to_thread(device.wait_for, "registered")
        assert (await offer(client, "coap")).code == "2.04"

        async def is_half_way() -> bool:
            metrics = await asyncio.to_thread(httpx.get, f"{gateway.health_url}/metrics", trust_env=False)
            lines = [line for line in metrics.text.splitlines() if line.startswith(PULLED)]
            return float(lines[0].split()[1]) > len(IMAGE) / 2

        half: bool = await until(is_half_way, 60, "half of the download")
        assert half
        gateway.kill()
        gateway.start()
        await reaches(client, DOWNLOADED)
        assert device.said[-1] == WHOLE


PULLED = "flownexus_gateway_firmware_pulled_bytes_total"
