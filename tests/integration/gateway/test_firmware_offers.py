"""Links to firmware written to devices, and what is told of their downloads."""

from __future__ import annotations

import asyncio
import io
import random
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandAnswer, CommandFailure, OfferFirmware
from flownexus_schemas.firmware.progress import FirmwareProgress
from flownexus_schemas.profile_standing import AskProfile, ProfileStanding, standing_adapter
from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from harness.commanded import answered, commanded
from harness.lockstep import (
    BLOCK2,
    CHANGED,
    CON,
    CONTENT,
    CREATED,
    GET,
    METHOD_NOT_ALLOWED,
    PUT,
    URI_PATH,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import NewDevice, put_profile

IMAGE = random.Random(11).randbytes(20_000)
NAME, MISSING = "9f3c5d1e7a2b4c68", "00000000000000aa"
LINKS = '</>;rt="oma.lwm2m";ct=110,</5/0>'
SIZE_512 = 5
FORBIDDEN = 0x83


@pytest.fixture
async def client(js: JetStreamContext) -> Client:
    """With the image in the store."""
    await FirmwareImages(lambda: js).put(NAME, io.BytesIO(IMAGE))
    return js._nc


@pytest.fixture
def settings() -> dict[str, str]:
    return {}


@pytest.fixture
async def gateway(
    js: JetStreamContext, service: Callable[..., ServiceProcess], profile: ObservationProfile, settings: dict[str, str]
) -> ServiceProcess:
    await put_profile(js, profile)
    return service("flownexus_gateway", **settings)


def offer(**changes: object) -> OfferFirmware:
    given = {"endpoint": "device-1", "firmware": NAME, "update_id": "u-1", "scheme": "coap", "link_lifetime_s": 600}
    return OfferFirmware.model_validate(given | changes)


async def offered(client: Client, device: LockstepDevice, **changes: object) -> tuple[str, CommandAnswer]:
    """What the device was given, and the answer."""
    written: list[bytes] = []

    def serve() -> None:
        request = device.expect_request(PUT, "5/0/1")
        written.append(request.payload)
        device.answer(request, CHANGED)

    answer = await answered(client, offer(**changes), serve)
    return written[0].decode(), answer


def registered(device: NewDevice, host: str = "127.0.0.1") -> LockstepDevice:
    one: LockstepDevice = device(host=host)
    assert one.register(LINKS).code == CREATED
    return one


def fetch(device: LockstepDevice, link: str, number: int, exponent: int = SIZE_512) -> tuple[int, bytes]:
    """A block of the image, as a client asks for the path of a link."""
    options = [(URI_PATH, part.encode()) for part in urlsplit(link).path[1:].split("/")]
    options.append((BLOCK2, uint(number << 4 | exponent)))
    heard = device.exchange(datagram(CON, GET, next(device.message_ids), b"z", options))
    return heard.code, heard.payload


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_a_link_names_the_address_that_the_device_uses(client: Client, device: NewDevice, host: str) -> None:
    one = registered(device, host)
    link, answer = await offered(client, one)
    assert (answer.code, answer.location) == ("2.04", link)
    assert link.startswith(f"coap://{host if ':' not in host else f'[{host}]'}:{one.server[1]}/fw/")
    assert link.endswith(f"/{NAME}/u-1")
    assert await asyncio.to_thread(fetch, one, link, 1) == (CONTENT, IMAGE[512:1024])


async def test_it_does_so_after_a_restart_before_the_device_is_heard(
    client: Client, device: NewDevice, gateway: ServiceProcess
) -> None:
    one = registered(device)
    gateway.kill()
    gateway.start()
    link, _ = await offered(client, one)
    assert urlsplit(link).hostname == "127.0.0.1"


async def test_a_link_is_good_for_its_image_and_update_alone(client: Client, device: NewDevice) -> None:
    one = registered(device)
    link, _ = await offered(client, one)
    for forged in (link.removesuffix("/u-1"), link.replace("u-1", "u-2"), link.replace(NAME, MISSING)):
        code, said = await asyncio.to_thread(fetch, one, forged, 0)
        assert (code, b"not made here" in said) == (FORBIDDEN, True), forged


async def test_how_far_a_download_is_is_told_at_most_each_second_and_at_its_end(
    client: Client, device: NewDevice
) -> None:
    told: list[FirmwareProgress] = []

    async def take(message: Msg) -> None:
        told.append(FirmwareProgress.model_validate_json(message.data))

    await client.subscribe(subjects.firmware_progress("u-1"), cb=take)
    await client.flush()
    one = registered(device)
    link, _ = await offered(client, one)
    with LockstepDevice(one.server[1], "its other port") as downloader:
        for number in range(40):
            code, payload = await asyncio.to_thread(fetch, downloader, link, number)
            assert (code, payload) == (CONTENT, IMAGE[number * 512 : (number + 1) * 512])
    await until(lambda: told and told[-1].bytes_served_upto == len(IMAGE), what="the end of the download")
    assert {(one.update_id, one.size, one.via) for one in told} == {("u-1", len(IMAGE), "coap")}
    assert told[0].bytes_served_upto == 512
    # A few at most on a slow machine, not one a block.
    assert len(told) < 20


@pytest.mark.parametrize("profile", [ObservationProfile(awake_window_s=0.3)])
async def test_a_download_from_any_port_is_a_sign_of_life_of_the_device_that_was_offered_it(
    client: Client, js: JetStreamContext, device: NewDevice
) -> None:
    one = device()
    assert one.register(LINKS, "b=U", "Q").code == CREATED
    link, _ = await offered(client, one)
    changed = ObservationProfile(observe=(SingleObservation(path="5/0/3"),), awake_window_s=0.3)
    revision = await put_profile(js, changed)
    question = AskProfile(endpoint="device-1", apply=True, profiles_revision=revision)
    with pytest.raises(Silence):
        one.receive(0.5)  # longer than it is awake
    answer = await client.request(subjects.gateway_profile("gw-1"), question.model_dump_json().encode(), timeout=10)
    standing = standing_adapter.validate_json(answer.data)
    assert isinstance(standing, ProfileStanding)
    assert standing.state == "asleep"
    with LockstepDevice(one.server[1], "its other port") as downloader:
        assert (await asyncio.to_thread(fetch, downloader, link, 0))[0] == CONTENT
    assert await asyncio.to_thread(one.expect_request, GET, "5/0/3")


@pytest.mark.parametrize(
    ("settings", "scheme", "begins"),
    [
        ({"FLOWNEXUS_FIRMWARE_HTTP_URL": "http://0.0.0.0:8000"}, "http", "http://127.0.0.1:8000/fw/"),
        ({"FLOWNEXUS_FIRMWARE_COAP_URL": "coap://devices.example.org"}, "coap", "coap://devices.example.org/fw/"),
    ],
)
async def test_a_link_begins_as_the_settings_say(client: Client, device: NewDevice, scheme: str, begins: str) -> None:
    link, _ = await offered(client, registered(device), scheme=scheme)
    assert link.startswith(begins)


async def test_a_refusal_of_the_device_is_the_answer(client: Client, device: NewDevice) -> None:
    one = registered(device)
    answer = await answered(client, offer(), lambda: one.answer(one.expect_request(PUT, "5/0/1"), METHOD_NOT_ALLOWED))
    assert (answer.code, answer.location) == ("4.05", None)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"firmware": MISSING}, f"no firmware {MISSING}"),
        ({"scheme": "coaps"}, "without DTLS"),
        ({"scheme": "http"}, "FLOWNEXUS_FIRMWARE_HTTP_URL"),
    ],
)
async def test_what_cannot_be_offered_never_reaches_the_device(
    client: Client, device: NewDevice, changes: dict[str, object], says: str
) -> None:
    one = registered(device)
    failure = await commanded(client, offer(**changes))
    assert isinstance(failure, CommandFailure)
    assert (failure.error, says in failure.reason) == ("invalid", True), failure
    with pytest.raises(Silence):
        one.receive(0.3)
