"""Which Content-Format a request is made in. LwM2M Core 1.1.1, 7.4; 1.2, 7.4."""

from __future__ import annotations

import base64
import json

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas.commands import ObserveResource, PathValue, ReadComposite, ReadResource, WriteResource
from flownexus_schemas.events import ObservationChanged, ValuesReported
from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from harness.commanded import answered
from harness.lockstep import (
    ACCEPT,
    ACK,
    CHANGED,
    CONTENT,
    CONTENT_FORMAT,
    FETCH,
    GET,
    POST,
    PUT,
    SENML_CBOR,
    SENML_JSON,
    TEXT,
    TLV,
    UNSUPPORTED_FORMAT,
    LockstepDevice,
)
from harness.services import ServiceProcess
from integration.gateway.gateway_events import Events, NewDevice

NOT_ACCEPTABLE = 0x86
OPAQUE, LWM2M_JSON, LWM2M_CBOR = 42, 11543, 11544
LWM2M_CBOR_21_5 = b"\xa1\x82\x19\x0c\xe7\x00\xa1\x19\x16\x44\xf9\x4d\x60"
"""{[3303, 0]: {5700: 21.5}}. LwM2M Core 1.2, 7.5."""
LINKS = "</1/0>,</3/0>,</3303/0>"
TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"
ONE_VALUE = b'[{"n":"/3303/0/5700","v":21.5}]'
SENML_CBOR_60 = b"\x81\xa3\x21\x65/1/0/\x00\x611\x02\x18\x3c"
"""[{-2: "/1/0/", 0: "1", 2: 60}]: base name, name, value. RFC 8428, 6."""


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


def read(path: str = "3303/0", content_format: int | None = None) -> ReadResource:
    return ReadResource(endpoint="device-1", path=path, format=content_format)


def write(path: str, content_format: int | None = None) -> WriteResource:
    return WriteResource(
        endpoint="device-1", path=path, values=(PathValue(path="1/0/1", value=60),), format=content_format
    )


def accept_of_next(
    device: LockstepDevice, code: int, payload: bytes = b"", content_format: int | None = None
) -> object:
    """Answer the next request; the Accept it had."""
    request = device.receive()
    device.answer(request, code, payload, content_format)
    return request.number(ACCEPT)


async def test_a_refused_format_of_a_read_is_followed_by_the_next_which_is_remembered(
    client: Client, device: NewDevice
) -> None:
    one = device()
    one.register(LINKS)
    asked: list[object] = []

    def serve() -> None:
        asked.append(accept_of_next(one, NOT_ACCEPTABLE))
        asked.append(accept_of_next(one, UNSUPPORTED_FORMAT))
        asked.append(accept_of_next(one, CONTENT, ONE_VALUE, SENML_JSON))

    assert [value.value for value in (await answered(client, read(), serve)).values] == [21.5]
    again = await answered(client, read(), lambda: asked.append(accept_of_next(one, CONTENT, ONE_VALUE, SENML_JSON)))
    assert again.code == "2.05"
    assert asked == [None, SENML_CBOR, SENML_JSON, SENML_JSON]


async def test_what_the_device_taught_us_survives_a_restart_and_is_forgotten_at_a_new_registration(
    client: Client, device: NewDevice, gateway: ServiceProcess
) -> None:
    one = device()
    one.register(LINKS)
    heard: list[tuple[object, bytes]] = []

    def takes(code: int) -> None:
        request = one.expect_request(PUT, "1/0/1")
        heard.append((request.number(CONTENT_FORMAT), request.payload))
        one.answer(request, code)

    def refuses_text() -> None:
        takes(UNSUPPORTED_FORMAT)
        takes(CHANGED)

    assert (await answered(client, write("1/0/1"), refuses_text)).code == "2.04"
    assert heard == [(TEXT, b"60"), (SENML_CBOR, SENML_CBOR_60)]
    gateway.stop()
    gateway.start()
    await answered(client, write("1/0/1"), lambda: takes(CHANGED))
    assert heard[-1][0] == SENML_CBOR
    one.register(LINKS)
    await answered(client, write("1/0/1"), lambda: takes(CHANGED))
    assert heard[-1][0] == TEXT


async def test_a_device_that_refuses_every_format_is_asked_in_each_once(client: Client, device: NewDevice) -> None:
    one = device()
    one.register(LINKS, version="1.0")
    asked: list[object] = []

    def serve() -> None:
        asked.extend(accept_of_next(one, NOT_ACCEPTABLE) for _ in range(3))

    assert (await answered(client, read(), serve)).code == "4.06"
    assert asked == [None, TLV, LWM2M_JSON]


async def test_the_callers_format_is_the_only_one_tried(client: Client, device: NewDevice) -> None:
    one = device()
    one.register(LINKS)
    answer = await answered(
        client, read(content_format=TLV), lambda: accept_of_next(one, NOT_ACCEPTABLE, b"no TLV here")
    )
    assert (answer.code, answer.diagnostic) == ("4.06", "no TLV here")

    observe = ObserveResource(endpoint="device-1", path="3303/0/5700", format=SENML_JSON)
    asked: list[object] = []
    refused = await answered(client, observe, lambda: asked.append(accept_of_next(one, NOT_ACCEPTABLE)))
    assert (refused.code, asked) == ("4.06", [SENML_JSON])


@pytest.mark.parametrize(
    ("version", "root", "content_format", "payload"),
    [
        ("1.0", "", TLV, b"\xc1\x01\x3c"),
        ("1.0", "</>;ct=11543,", LWM2M_JSON, {"bn": "/1/0/", "e": [{"n": "1", "v": 60}]}),
        ("1.1", "", SENML_CBOR, SENML_CBOR_60),
        ("1.1", "</>;ct=110,", SENML_JSON, [{"bn": "/1/0/", "n": "1", "v": 60}]),
        ("1.1", "</>;ct=11542,", TLV, b"\xc1\x01\x3c"),
        # {1: {0: {1: 60}}}
        ("1.2", "</>;ct=11544,", LWM2M_CBOR, b"\xa1\x01\xa1\x00\xa1\x01\x18\x3c"),
    ],
)
async def test_an_instance_is_written_in_what_the_device_states_or_its_version_has(  # noqa: PLR0917
    client: Client, device: NewDevice, version: str, root: str, content_format: int, payload: object
) -> None:
    one = device()
    one.register(root + LINKS, version=version)
    heard: list[tuple[object, bytes]] = []

    def serve() -> None:
        request = one.expect_request(POST, "1/0")
        heard.append((request.number(CONTENT_FORMAT), request.payload))
        one.answer(request, CHANGED)

    assert (await answered(client, write("1/0"), serve)).code == "2.04"
    ((used, written),) = heard
    assert used == content_format
    assert (written if isinstance(payload, bytes) else json.loads(written)) == payload


@pytest.mark.parametrize(
    ("content_format", "payload"),
    [
        (TLV, TLV_21_5),
        (1542, TLV_21_5),
        (LWM2M_JSON, b'{"bn":"/3303/0/","e":[{"n":"5700","v":21.5}]}'),
        (1543, b'{"bn":"/3303/0/","e":[{"n":"5700","v":21.5}]}'),
        (SENML_JSON, ONE_VALUE),
        # [{-2: "/3303/0/", 0: "5700", 2: 21.5}]
        (SENML_CBOR, b"\x81\xa3\x21\x68/3303/0/\x00\x645700\x02\xf9\x4d\x60"),
        (LWM2M_CBOR, LWM2M_CBOR_21_5),
    ],
)
@pytest.mark.parametrize("is_asked_for", [True, False], ids=["accepted", "by-itself"])
async def test_an_answer_is_understood_in_every_format(  # noqa: PLR0917
    client: Client, device: NewDevice, events: Events, content_format: int, payload: bytes, is_asked_for: bool
) -> None:
    one = device()
    one.register(LINKS, version="1.2" if content_format == LWM2M_CBOR else "1.1")
    asked: list[object] = []
    command = read(content_format=content_format if is_asked_for else None)
    answer = await answered(
        client, command, lambda: asked.append(accept_of_next(one, CONTENT, payload, content_format))
    )
    assert [(value.path, value.value) for value in answer.values] == [("3303/0/5700", 21.5)]
    assert asked == [content_format if is_asked_for else None]
    (report,) = await events.of(ValuesReported)
    assert report.data.content_format == content_format


@pytest.mark.parametrize(
    "profile",
    [ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),), read_once=("3/0",), format=SENML_JSON)],
)
async def test_the_profiles_format_is_asked_for(device: NewDevice, events: Events, client: Client) -> None:
    one = device()
    one.register(LINKS)
    observe = one.expect_request(GET, "3303/0/5700")
    assert observe.number(ACCEPT) == SENML_JSON
    one.answer(observe, UNSUPPORTED_FORMAT)
    plain = one.expect_request(GET, "3303/0/5700")
    assert (plain.number(ACCEPT), plain.token) == (None, observe.token)
    one.answer(plain, payload=TLV_21_5, content_format=TLV, observe=0)
    assert accept_of_next(one, CONTENT, b'[{"n":"/3/0/0","vs":"Fn"}]', SENML_JSON) == SENML_JSON
    await events.wait(ValuesReported, 2)
    (established,) = await events.of(ObservationChanged)
    assert established.data.state == "established"


async def test_a_composite_request_learns_by_itself(device: NewDevice, client: Client) -> None:
    one = device()
    one.register('</>;rt="oma.lwm2m";ct=112,' + LINKS)
    asked: list[object] = []

    def serve(*codes: int) -> None:
        for code in codes:
            request = one.expect_request(FETCH, "")
            assert request.number(ACCEPT) == request.number(CONTENT_FORMAT)
            asked.append(request.number(ACCEPT))
            one.answer(request, code, ONE_VALUE if code == CONTENT else b"", SENML_JSON if code == CONTENT else None)

    several = ReadComposite(endpoint="device-1", paths=("3303/0/5700",))
    await answered(client, several, lambda: serve(UNSUPPORTED_FORMAT, CONTENT))
    await answered(client, several, lambda: serve(CONTENT))
    assert asked == [SENML_CBOR, SENML_JSON, SENML_JSON]
    assert (
        await answered(client, read(), lambda: asked.append(accept_of_next(one, CONTENT, TLV_21_5, TLV)))
    ).code == "2.05"
    assert asked[-1] is None


async def test_bytes_are_written_read_and_notified_as_they_are(
    client: Client, device: NewDevice, events: Events
) -> None:
    one = device()
    one.register("</5/0>,</19/0>")
    package, data = b"\x00\xff\x80image", "19/0/0/0"
    in_base64 = base64.b64encode(package).decode()
    heard: list[tuple[object, bytes]] = []

    def takes() -> None:
        request = one.expect_request(PUT, "5/0/0")
        heard.append((request.number(CONTENT_FORMAT), request.payload))
        one.answer(request, CHANGED)

    # Of both alphabets of RFC 4648, as the api takes them.
    for text in (in_base64, base64.urlsafe_b64encode(package).decode().rstrip("=")):
        push = WriteResource(endpoint="device-1", path="5/0/0", values=(PathValue(path="5/0/0", value=text),))
        assert (await answered(client, push, takes)).code == "2.04"
    assert heard == [(OPAQUE, package)] * 2

    asked = await answered(client, read(data, OPAQUE), lambda: accept_of_next(one, CONTENT, package, OPAQUE))
    assert [(value.path, value.value) for value in asked.values] == [(data, in_base64)]
    tokens: list[bytes] = []

    def observed() -> None:
        request = one.expect_request(GET, data)
        tokens.append(request.token)
        one.answer(request, CONTENT, b"", OPAQUE, observe=0)

    await answered(client, ObserveResource(endpoint="device-1", path=data), observed)
    assert one.exchange(one.notification(tokens[0], 1, package, OPAQUE)).type == ACK
    report = (await events.of(ValuesReported))[-1]
    assert [(record.path, record.value) for record in report.data.records] == [(data, in_base64)]


async def test_a_notification_in_lwm2m_cbor_is_understood(client: Client, device: NewDevice, events: Events) -> None:
    one = device()
    one.register(LINKS, version="1.2")
    tokens: list[bytes] = []

    def observed() -> None:
        request = one.expect_request(GET, "3303/0")
        assert request.number(ACCEPT) == LWM2M_CBOR
        tokens.append(request.token)
        one.answer(request, CONTENT, LWM2M_CBOR_21_5, LWM2M_CBOR, observe=0)

    observe = ObserveResource(endpoint="device-1", path="3303/0", format=LWM2M_CBOR)
    assert [value.value for value in (await answered(client, observe, observed)).values] == [21.5]
    assert one.exchange(one.notification(tokens[0], 1, LWM2M_CBOR_21_5, LWM2M_CBOR)).type == ACK
    report = (await events.of(ValuesReported))[-1]
    assert [(record.path, record.value) for record in report.data.records] == [("3303/0/5700", 21.5)]
