"""Content-Formats of composite requests. LwM2M Core 1.2, 7.4; RFC 8790 for SenML-ETCH."""

from __future__ import annotations

from functools import partial

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas.commands import PathValue, ReadComposite, WriteComposite
from flownexus_schemas.events import ValuesReported
from flownexus_schemas.profiles import CompositeObservation, ObservationProfile
from harness.commanded import answered
from harness.lockstep import ACCEPT, CHANGED, CONTENT, CONTENT_FORMAT, FETCH, SENML_CBOR, SENML_JSON, UNSUPPORTED_FORMAT
from integration.gateway.gateway_events import Events, NewDevice

IPATCH = 0x07
LWM2M_CBOR, SENML_ETCH_JSON, SENML_ETCH_CBOR = 11544, 320, 322
LWM2M_CBOR_21_5 = b"\xa1\x82\x19\x0c\xe7\x00\xa1\x19\x16\x44\xf9\x4d\x60"
"""{[3303, 0]: {5700: 21.5}}. LwM2M Core 1.2, 7.5."""
LWM2M_CBOR_22 = LWM2M_CBOR_21_5[:-2] + b"\x4d\x80"
LINKS = "</1/0>,</3/0>,</3303/0>"
ONE_VALUE = b'[{"n":"/3303/0/5700","v":21.5}]'
CLIMATE = CompositeObservation(paths=("3303/0/5700",), event_type="climate", format=LWM2M_CBOR)


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


async def test_composite_values_are_read_in_lwm2m_cbor_where_that_is_asked_for(
    device: NewDevice, client: Client
) -> None:
    one = device()
    one.register('</>;rt="oma.lwm2m";ct="112 11544",' + LINKS, version="1.2")
    heard: list[tuple[object, object, bytes]] = []

    def serve() -> None:
        request = one.expect_request(FETCH, "")
        heard.append((request.number(CONTENT_FORMAT), request.number(ACCEPT), request.payload))
        one.answer(request, CONTENT, LWM2M_CBOR_21_5, LWM2M_CBOR)

    several = ReadComposite(endpoint="device-1", paths=("3303/0/5700",), format=LWM2M_CBOR)
    answer = await answered(client, several, serve)
    # LwM2M CBOR has no way to name a path without its value: [{0: "/3303/0/5700"}] of SenML does.
    assert heard == [(SENML_CBOR, LWM2M_CBOR, b"\x81\xa1\x00\x6c/3303/0/5700")]
    assert [(value.path, value.value) for value in answer.values] == [("3303/0/5700", 21.5)]


async def test_composite_values_are_written_in_lwm2m_cbor(device: NewDevice, client: Client) -> None:
    one = device()
    one.register('</>;rt="oma.lwm2m";ct=11544,' + LINKS, version="1.2")
    heard: list[tuple[object, bytes]] = []

    def serve() -> None:
        request = one.expect_request(IPATCH, "")
        heard.append((request.number(CONTENT_FORMAT), request.payload))
        one.answer(request, CHANGED)

    values = (PathValue(path="1/0/1", value=60), PathValue(path="1/0/2", value=5))
    written = WriteComposite(endpoint="device-1", values=values, format=LWM2M_CBOR)
    assert (await answered(client, written, serve)).code == "2.04"
    # {1: {0: {1: 60, 2: 5}}}
    assert heard == [(LWM2M_CBOR, b"\xa1\x01\xa1\x00\xa2\x01\x18\x3c\x02\x05")]


@pytest.mark.parametrize("profile", [ObservationProfile(observe_composite=(CLIMATE,))])
async def test_a_composite_observation_notifies_in_lwm2m_cbor_where_the_profile_says_so(
    device: NewDevice, events: Events
) -> None:
    one = device()
    one.register('</>;rt="oma.lwm2m";ct=112,' + LINKS, version="1.2")
    request = one.expect_request(FETCH, "")
    assert (request.number(CONTENT_FORMAT), request.number(ACCEPT)) == (SENML_CBOR, LWM2M_CBOR)
    one.answer(request, CONTENT, LWM2M_CBOR_21_5, LWM2M_CBOR, observe=1)
    one.exchange(one.notification(request.token, 2, LWM2M_CBOR_22, LWM2M_CBOR))
    reports = await events.wait(ValuesReported, 2)
    assert [(report.data.event_type, report.data.records[0].value) for report in reports] == [
        ("climate", 21.5),
        ("climate", 22.0),
    ]


@pytest.mark.parametrize(("version", "root"), [("1.1", ""), ("1.2", "/lwm2m")])
async def test_paths_in_senml_begin_with_the_alternate_path_since_1_2(
    device: NewDevice, client: Client, version: str, root: str
) -> None:
    one = device()
    one.register('</lwm2m>;rt="oma.lwm2m";ct=110,</lwm2m/1/0>,</lwm2m/3303/0>', version=version)
    heard: list[bytes] = []

    def serve(code: int, answer: bytes) -> None:
        request = one.expect_request(code, "lwm2m")
        heard.append(request.payload)
        one.answer(request, CONTENT if answer else CHANGED, answer, SENML_JSON if answer else None)

    several = ReadComposite(endpoint="device-1", paths=("3303/0/5700",))
    for values in (b'[{"n":"/lwm2m/3303/0/5700","v":21.5}]', ONE_VALUE):
        answer = await answered(client, several, partial(serve, FETCH, values))
        assert [(value.path, value.value) for value in answer.values] == [("3303/0/5700", 21.5)]
    written = WriteComposite(endpoint="device-1", values=(PathValue(path="1/0/1", value=60),))
    await answered(client, written, partial(serve, IPATCH, b""))
    asked = f'[{{"n":"{root}/3303/0/5700"}}]'.encode()
    assert heard == [asked, asked, f'[{{"bn":"{root}/1/0/","n":"1","v":60}}]'.encode()]


@pytest.mark.parametrize(
    ("stated", "asked"),
    [
        ("320", [(SENML_ETCH_JSON, SENML_JSON)]),
        ("322", [(SENML_ETCH_CBOR, SENML_CBOR)]),
        ("112 322", [(SENML_CBOR, SENML_CBOR), (SENML_JSON, SENML_JSON), (SENML_ETCH_CBOR, SENML_CBOR)]),
    ],
)
async def test_a_device_that_takes_senml_etch_alone_is_asked_in_it(
    device: NewDevice, client: Client, stated: str, asked: list[tuple[int, int]]
) -> None:
    one = device()
    one.register(f'</>;rt="oma.lwm2m";ct="{stated}",{LINKS}', version="1.2")
    heard: list[tuple[object, object]] = []

    def serve() -> None:
        for _ in asked:
            request = one.expect_request(FETCH, "")
            heard.append((request.number(CONTENT_FORMAT), request.number(ACCEPT)))
            is_etch = request.number(CONTENT_FORMAT) in {SENML_ETCH_JSON, SENML_ETCH_CBOR}
            one.answer(request, CONTENT, ONE_VALUE, SENML_JSON) if is_etch else one.answer(request, UNSUPPORTED_FORMAT)

    answer = await answered(client, ReadComposite(endpoint="device-1", paths=("3303/0/5700",)), serve)
    assert heard == asked
    assert [value.value for value in answer.values] == [21.5]
