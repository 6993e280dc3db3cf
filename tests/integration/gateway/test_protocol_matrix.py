"""Operation x depth x Content-Format x LwM2M version, each by hand-made bytes, on a device of that version.

`docs/protocol.md` has the same as a table; a test of the layout holds the two together.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import cbor2
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas.commands import (
    CommandFailure,
    CreateObjectInstance,
    ObserveResource,
    PathValue,
    ReadResource,
    WriteResource,
)
from flownexus_schemas.events import Trigger, ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from harness.commanded import answered, commanded
from harness.lockstep import (
    ACCEPT,
    CHANGED,
    CONTENT,
    CONTENT_FORMAT,
    CREATED,
    GET,
    OBSERVE,
    POST,
    PUT,
    LockstepDevice,
)
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import values

TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV, LWM2M_JSON, LWM2M_CBOR = 0, 42, 60, 110, 112, 11542, 11543, 11544

FORMATS = {
    "1.0": (TEXT, OPAQUE, TLV, LWM2M_JSON),
    "1.1": (TEXT, OPAQUE, CBOR, TLV, LWM2M_JSON, SENML_JSON, SENML_CBOR),
    "1.2": (TEXT, OPAQUE, CBOR, TLV, LWM2M_JSON, SENML_JSON, SENML_CBOR, LWM2M_CBOR),
}
OF_ONE_VALUE = {TEXT, OPAQUE, CBOR}
EACH = [(version, content_format) for version, formats in FORMATS.items() for content_format in formats]
NAME = "device-1"
LINKS = "</3/0>,</5/0>,</16/0>,</19/0>"

OF_SEVERAL = {"object": "16", "object instance": "16/0", "resource": "16/0/0", "resource instance": "16/0/0/1"}
"""Paths above the value at 16/0/0/1, a text of Portfolio's multiple resource 0."""

OF_TEXT = {"resource": "3/0/14", "resource instance": "16/0/0/1"}
OF_BYTES = {"resource": "5/0/0", "resource instance": "19/0/0/1"}


def places(version: str, content_format: int) -> dict[str, str]:
    """Where a value is asked for in this format, by depth: text and bytes have a value's own path alone, and resource
    instances have paths since 1.1.
    """
    paths = {TEXT: OF_TEXT, OPAQUE: OF_BYTES, CBOR: OF_BYTES}.get(content_format, OF_SEVERAL)
    return {depth: path for depth, path in paths.items() if version != "1.0" or depth != "resource instance"}


def value_at(path: str) -> tuple[str, str]:
    """The value that the device has at or below a path, and the path of that."""
    return (path, "YWI=") if path in OF_BYTES.values() else (path if path == "3/0/14" else "16/0/0/1", "ab")


def tlv(depth: str) -> bytes:
    """The value at a depth. LwM2M Core 1.1.1, 7.4.4: type and length, id, length, value."""
    of_instance = b"\x42\x01ab"
    of_resource = b"\x84\x00" + of_instance
    return {
        "resource instance": of_instance,
        "resource": of_resource,
        "object instance": of_resource,
        "object": b"\x06\x00" + of_resource,
    }[depth]


def written(depth: str, content_format: int) -> bytes:
    """The value as a device sends it, when asked at this depth."""
    match content_format:
        case 0 | 42:
            return b"ab"
        case 60:
            return b"\x42ab"
        case 11542:
            return tlv(depth)
        case 11543:
            return b'{"bn":"/16/0/0/","e":[{"n":"1","sv":"ab"}]}'
        case 110:
            return b'[{"bn":"/16/0/","n":"0/1","vs":"ab"}]'
        case 112:
            return b"\x81\xa2\x00\x69/16/0/0/1\x03\x62ab"
    return b"\xa1\x10\xa1\x00\xa1\x00\xa1\x01\x62ab"


def read_back(payload: bytes, content_format: int) -> object:
    """What a payload of ours says, by other readers than ours, as path and value, or the value alone."""
    match content_format:
        case 0 | 42:
            return payload
        case 60:
            return cbor2.loads(payload)
        case 11542:
            return payload
        case 11543:
            document = json.loads(payload)
            return [(document["bn"] + entry["n"], entry["sv"]) for entry in document["e"]]
        case 110:
            base, found = "", []
            for entry in json.loads(payload):
                base = entry.get("bn", base)
                found.append((base + entry["n"], entry["vs"]))
            return found
        case 112:
            base, found = "", []
            for entry in cbor2.loads(payload):
                base = entry.get(-2, base)
                found.append((base + entry[0], entry[3]))
            return found
    return cbor2.loads(payload)


def said(depth: str, content_format: int) -> object:
    """What `read_back` finds where the value was written at a depth."""
    match content_format:
        case 0 | 42:
            return b"ab"
        case 60:
            return b"ab"
        case 11542:
            return tlv(depth)
        case 110 | 112 | 11543:
            return [("/16/0/0/1", "ab")]
    return {16: {0: {0: {1: "ab"}}}}


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile()


@pytest.fixture
def registered(device: NewDevice) -> Callable[[str], LockstepDevice]:
    def register(version: str) -> LockstepDevice:
        one = device(NAME)
        assert one.register(LINKS, version=version).code == CREATED
        return one

    return register


Register = Callable[[str], LockstepDevice]


@pytest.mark.parametrize(("version", "content_format"), EACH)
async def test_read(client: Client, registered: Register, version: str, content_format: int) -> None:
    one = registered(version)
    for depth, path in places(version, content_format).items():
        asked: list[object] = []

        def serve(path: str = path, depth: str = depth, asked: list[object] = asked) -> None:
            request = one.expect_request(GET, path)
            asked.append(request.number(ACCEPT))
            one.answer(request, CONTENT, written(depth, content_format), content_format)

        answer = await answered(client, ReadResource(endpoint=NAME, path=path, format=content_format), serve)
        assert asked == [content_format], depth
        assert [(found.path, found.value) for found in answer.values] == [value_at(path)], depth


@pytest.mark.parametrize(("version", "content_format"), EACH)
async def test_write(client: Client, registered: Register, version: str, content_format: int) -> None:
    """Replaced at an object instance, a resource and a resource instance; an instance updated in part."""
    one = registered(version)
    asked = [
        (depth, path, replace)
        for depth, path in places(version, content_format).items()
        for replace in ((True, False) if depth == "object instance" else (True,))
        if depth != "object"
    ]
    for depth, path, replace in asked:
        at, value = value_at(path)
        of_value = (PathValue(path=at, value=value),)
        heard: list[tuple[object, ...]] = []

        def serve(path: str = path, replace: bool = replace, heard: list[tuple[object, ...]] = heard) -> None:
            request = one.expect_request(PUT if replace else POST, path)
            heard.append((request.number(CONTENT_FORMAT), read_back(request.payload, content_format)))
            one.answer(request, CHANGED)

        command = WriteResource(endpoint=NAME, path=path, values=of_value, replace=replace, format=content_format)
        assert (await answered(client, command, serve)).code == "2.04", depth
        assert heard == [(content_format, said(depth, content_format))], depth


@pytest.mark.parametrize(("version", "content_format"), EACH)
async def test_observe(client: Client, registered: Register, events: Events, version: str, content_format: int) -> None:
    """Asked for, and notified twice, in the format."""
    one, count = registered(version), 0
    for depth, path in places(version, content_format).items():
        tokens: list[bytes] = []

        def serve(path: str = path, depth: str = depth, tokens: list[bytes] = tokens) -> None:
            request = one.expect_request(GET, path)
            assert (request.number(OBSERVE), request.number(ACCEPT)) == (0, content_format)
            tokens.append(request.token)
            one.answer(request, CONTENT, written(depth, content_format), content_format, observe=1)

        observe = ObserveResource(endpoint=NAME, path=path, format=content_format)
        assert (await answered(client, observe, serve)).code == "2.05", depth
        one.exchange(one.notification(tokens[0], 2, written(depth, content_format), content_format))
        count += 2
        report = (await events.wait(ValuesReported, count))[-1]
        assert report.data.trigger == Trigger.NOTIFY
        assert values(report) == [value_at(path)], depth


@pytest.mark.parametrize(("version", "content_format"), [each for each in EACH if each[1] not in OF_ONE_VALUE])
async def test_create(client: Client, registered: Register, version: str, content_format: int) -> None:
    """An object instance with its values."""
    one = registered(version)
    heard: list[tuple[object, ...]] = []

    def serve() -> None:
        request = one.expect_request(POST, "16")
        heard.append((request.number(CONTENT_FORMAT), read_back(request.payload, content_format)))
        one.answer(request, CREATED)

    given = (PathValue(path="16/0/0/1", value="ab"),)
    command = CreateObjectInstance(endpoint=NAME, path="16/0", values=given, format=content_format)
    assert (await answered(client, command, serve)).code == "2.01"
    assert heard == [(content_format, said("object", content_format))]


async def test_a_resource_instance_has_no_path_of_its_own_in_1_0(client: Client, registered: Register) -> None:
    one = registered("1.0")
    failure = await commanded(client, ReadResource(endpoint=NAME, path="16/0/0/1"))
    assert isinstance(failure, CommandFailure)
    assert (failure.error, "LwM2M 1.1" in failure.reason) == ("invalid", True)
    read = ReadResource(endpoint=NAME, path="16/0/0")
    answer = await answered(
        client, read, lambda: one.answer(one.expect_request(GET, "16/0/0"), CONTENT, tlv("resource"), TLV)
    )
    assert [(value.path, value.value) for value in answer.values] == [("16/0/0/1", "ab")]
