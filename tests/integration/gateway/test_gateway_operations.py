"""Every operation at every depth that the specification has: the request on the wire. LwM2M Core 1.1.1, 6.3, 6.4."""

from __future__ import annotations

import json

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas.commands import (
    CancelObservation,
    Command,
    CommandFailure,
    CreateObjectInstance,
    DeleteObjectInstance,
    DiscoverResources,
    ExecuteResource,
    ObserveComposite,
    ObserveResource,
    PathValue,
    ReadResource,
    WriteAttributes,
    WriteComposite,
    WriteResource,
)
from flownexus_schemas.events import ObservationChanged, ValuesReported
from flownexus_schemas.lwm2m.notification_attributes import AttributeName
from harness.commanded import answered, commanded
from harness.lockstep import (
    ACCEPT,
    ACK,
    CHANGED,
    CONTENT,
    CONTENT_FORMAT,
    CREATED,
    DELETE,
    DELETED,
    FETCH,
    GET,
    LINK_FORMAT,
    OBSERVE,
    POST,
    PUT,
    RST,
    SENML_CBOR,
    SENML_JSON,
    TEXT,
    TLV,
    URI_QUERY,
    Heard,
    LockstepDevice,
)
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import values

IPATCH = 0x07
LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</16/0>,</3303/0>'
DEPTHS = ["3303", "3303/0", "3303/0/5700", "3303/0/5700/1"]
NAME = "device-1"


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


@pytest.fixture
def registered(device: NewDevice) -> LockstepDevice:
    one: LockstepDevice = device(NAME)
    assert one.register(LINKS).code == CREATED
    return one


def senml(path: str, value: float) -> bytes:
    return json.dumps([{"n": f"/{path}", "v": value}]).encode()


def named(pack: bytes) -> dict[str, object]:
    """The values of a SenML pack by their whole names. RFC 8428, 4.5.1."""
    found: dict[str, object] = {}
    base = ""
    for record in json.loads(pack):
        base = record.get("bn", base)
        found[base + record.get("n", "")] = record.get("v", record.get("vs"))
    return found


async def heard_for(
    client: Client,
    device: LockstepDevice,
    command: Command,
    code: int,
    *,
    payload: bytes = b"",
    form: int | None = None,
) -> tuple[Heard, str]:
    """The request that the command became, and the code of the answer."""
    heard: list[Heard] = []

    def serve() -> None:
        heard.append(device.receive())
        device.answer(heard[0], code, payload, form)

    answer = await answered(client, command, serve)
    return heard[0], answer.code


@pytest.mark.parametrize("path", DEPTHS)
async def test_read(client: Client, registered: LockstepDevice, path: str) -> None:
    leaf = {1: "/0/5700", 2: "/5700"}.get(len(path.split("/")), "")
    heard: list[Heard] = []

    def serve() -> None:
        heard.append(registered.expect_request(GET, path))
        registered.answer(heard[0], CONTENT, senml(path + leaf, 21.5), SENML_JSON)

    answer = await answered(client, ReadResource(endpoint=NAME, path=path), serve)
    assert [(value.path, value.value) for value in answer.values] == [(path + leaf, 21.5)]
    assert (heard[0].all(ACCEPT), heard[0].payload) == ([], b"")


@pytest.mark.parametrize("path", DEPTHS[:3])
async def test_discover(client: Client, registered: LockstepDevice, path: str) -> None:
    command = DiscoverResources(endpoint=NAME, path=path)
    heard, code = await heard_for(client, registered, command, CONTENT, payload=b"</3303>", form=LINK_FORMAT)
    assert (heard.code, heard.path(), heard.number(ACCEPT), code) == (GET, path, LINK_FORMAT, "2.05")


@pytest.mark.parametrize("path", DEPTHS)
async def test_write_attributes_and_their_removal(client: Client, registered: LockstepDevice, path: str) -> None:
    wanted: dict[AttributeName, float | None] = {"pmin": 5, "pmax": 60, "epmin": None, "epmax": None}
    asked = [b"pmin=5", b"pmax=60", b"epmin", b"epmax"]
    if len(path.split("/")) > 2:
        wanted |= {"gt": 30.5, "lt": -1.25, "st": 0.5}
        asked += [b"gt=30.5", b"lt=-1.25", b"st=0.5"]
    attributes = WriteAttributes(endpoint=NAME, path=path, attributes=wanted)
    heard, code = await heard_for(client, registered, attributes, CHANGED)
    assert (heard.code, heard.path(), heard.payload, code) == (PUT, path, b"", "2.04")
    assert heard.all(URI_QUERY) == asked


async def test_the_attributes_of_1_2_are_written(client: Client, device: NewDevice) -> None:
    one = device(NAME)
    one.register("</3342/0>", version="1.2")
    wanted = WriteAttributes(endpoint=NAME, path="3342/0/5500", attributes={"edge": 1, "con": 0, "hqmax": None})
    heard, code = await heard_for(client, one, wanted, CHANGED)
    assert (heard.all(URI_QUERY), code) == ([b"edge=1", b"con=0", b"hqmax"], "2.04")


@pytest.mark.parametrize("path", DEPTHS)
async def test_observe_and_its_active_cancellation(client: Client, registered: LockstepDevice, path: str) -> None:
    observing: list[Heard] = []

    def observed() -> None:
        observing.append(registered.expect_request(GET, path))
        registered.answer(observing[0], CONTENT, b"[]", SENML_JSON, observe=0)

    assert (await answered(client, ObserveResource(endpoint=NAME, path=path), observed)).code == "2.05"
    cancel = CancelObservation(endpoint=NAME, paths=(path,))
    heard, code = await heard_for(client, registered, cancel, CONTENT, payload=b"[]", form=SENML_JSON)
    assert (heard.code, heard.path(), heard.number(OBSERVE), code) == (GET, path, 1, "2.05")
    assert (observing[0].number(OBSERVE), heard.token) == (0, observing[0].token)


@pytest.mark.parametrize("path", DEPTHS)
async def test_a_passive_cancellation_is_a_reset_of_the_next_notification(
    client: Client, registered: LockstepDevice, path: str
) -> None:
    observing: list[Heard] = []

    def observed() -> None:
        observing.append(registered.expect_request(GET, path))
        registered.answer(observing[0], CONTENT, b"[]", SENML_JSON, observe=0)

    await answered(client, ObserveResource(endpoint=NAME, path=path), observed)
    first = registered.notification(observing[0].token, 1, b"[]", SENML_JSON)
    assert registered.exchange(first).type == ACK
    cancel = CancelObservation(endpoint=NAME, paths=(path,), passive=True)
    assert (await answered(client, cancel, lambda: None)).code == "2.05"
    assert registered.exchange(registered.notification(observing[0].token, 2, b"[]", SENML_JSON)).type == RST


async def test_a_passive_cancellation_of_a_composite_observation_is_a_reset_too(
    client: Client, registered: LockstepDevice
) -> None:
    paths = ("3303/0/5700", "3/0")
    observing: list[Heard] = []

    def observed() -> None:
        observing.append(registered.expect_request(FETCH, ""))
        registered.answer(observing[0], CONTENT, senml("3303/0/5700", 1), SENML_JSON, observe=0)

    await answered(client, ObserveComposite(endpoint=NAME, paths=paths), observed)
    cancel = CancelObservation(endpoint=NAME, paths=paths, passive=True)
    assert (await answered(client, cancel, lambda: None)).code == "2.05"
    sent = registered.notification(observing[0].token, 1, senml("3303/0/5700", 2), SENML_JSON)
    assert registered.exchange(sent).type == RST


@pytest.mark.parametrize(
    ("path", "written", "replace", "method", "content_format", "payload"),
    [
        ("16/0", {"16/0/0/1": "b"}, False, POST, SENML_JSON, {"/16/0/0/1": "b"}),
        ("16/0", {"16/0/0/1": "b"}, True, PUT, SENML_JSON, {"/16/0/0/1": "b"}),
        ("1/0/1", {"1/0/1": 60}, False, PUT, TEXT, b"60"),
        ("1/0/1", {"1/0/1": 60}, True, PUT, TEXT, b"60"),
        (
            "16/0/0",
            {"16/0/0/0": "a", "16/0/0/1": "b"},
            True,
            PUT,
            SENML_JSON,
            {"/16/0/0/0": "a", "/16/0/0/1": "b"},
        ),
        ("16/0/0/1", {"16/0/0/1": "b"}, False, PUT, TEXT, b"b"),
    ],
    ids=[
        "update-instance",
        "replace-instance",
        "resource",
        "replace-resource",
        "multiple-resource",
        "resource-instance",
    ],
)
async def test_write(  # noqa: PLR0917
    client: Client,
    registered: LockstepDevice,
    path: str,
    written: dict[str, str | int],
    replace: bool,
    method: int,
    content_format: int,
    payload: object,
) -> None:
    given = tuple(PathValue(path=at, value=value) for at, value in written.items())
    command = WriteResource(endpoint=NAME, path=path, values=given, replace=replace)
    heard, code = await heard_for(client, registered, command, CHANGED)
    assert (heard.code, heard.path(), heard.number(CONTENT_FORMAT), code) == (method, path, content_format, "2.04")
    assert (heard.payload if content_format == TEXT else named(heard.payload)) == payload


@pytest.mark.parametrize("arguments", [None, "0='a',1"])
async def test_execute(client: Client, registered: LockstepDevice, arguments: str | None) -> None:
    command = ExecuteResource(endpoint=NAME, path="3/0/4", arguments=arguments)
    heard, code = await heard_for(client, registered, command, CHANGED)
    assert (heard.code, heard.path(), heard.payload, code) == (POST, "3/0/4", (arguments or "").encode(), "2.04")
    assert heard.number(CONTENT_FORMAT) == (None if arguments is None else 0)


@pytest.mark.parametrize(
    ("path", "payload"),
    [
        ("16/7", {"/16/7/0/0": "a"}),
        ("16", b"\x83\x00\x41\x00\x61"),
    ],
    ids=["id-of-ours", "id-of-the-device"],
)
async def test_create(client: Client, registered: LockstepDevice, path: str, payload: object) -> None:
    """In TLV the resources alone leave the id to the device. LwM2M Core 1.1.1, 6.3.6."""
    command = CreateObjectInstance(
        endpoint=NAME,
        path=path,
        values=(PathValue(path="16/7/0/0", value="a"),),
        format=TLV if isinstance(payload, bytes) else None,
    )
    heard, code = await heard_for(client, registered, command, CREATED)
    assert (heard.code, heard.path(), code) == (POST, "16", "2.01")
    assert (heard.payload if isinstance(payload, bytes) else named(heard.payload)) == payload


@pytest.mark.parametrize("path", ["3303/0", "16/0/0/1"])
async def test_delete(client: Client, registered: LockstepDevice, path: str) -> None:
    heard, code = await heard_for(client, registered, DeleteObjectInstance(endpoint=NAME, path=path), DELETED)
    assert (heard.code, heard.path(), code) == (DELETE, path, "2.02")


@pytest.mark.parametrize("content_format", [SENML_JSON, SENML_CBOR])
async def test_write_composite(client: Client, registered: LockstepDevice, content_format: int) -> None:
    given = (PathValue(path="1/0/1", value=60), PathValue(path="3303/0/5701", value="Cel"))
    command = WriteComposite(endpoint=NAME, values=given, format=content_format)
    heard, code = await heard_for(client, registered, command, CHANGED)
    assert (heard.code, heard.path(), heard.number(CONTENT_FORMAT), code) == (IPATCH, "", content_format, "2.04")
    if content_format == SENML_JSON:
        assert named(heard.payload) == {"/1/0/1": 60, "/3303/0/5701": "Cel"}
    else:
        assert heard.payload[:1] == b"\x82"
        assert b"\x02\x18\x3c" in heard.payload
        assert b"\x03\x63Cel" in heard.payload


async def test_observe_composite_its_notifications_and_its_cancellation(
    client: Client, registered: LockstepDevice, events: Events
) -> None:
    command = ObserveComposite(endpoint=NAME, paths=("3303/0/5700", "3/0"), event_type="climate")
    observing: list[Heard] = []

    def observed() -> None:
        observing.append(registered.expect_request(FETCH, ""))
        registered.answer(observing[0], CONTENT, senml("3303/0/5700", 1), SENML_JSON, observe=0)

    assert [value.value for value in (await answered(client, command, observed)).values] == [1]
    request = observing[0]
    assert (request.number(OBSERVE), request.number(ACCEPT), request.number(CONTENT_FORMAT)) == (0, 110, 110)
    assert json.loads(request.payload) == [{"n": "/3303/0/5700"}, {"n": "/3/0"}]
    sent = registered.notification(request.token, 1, senml("3303/0/5700", 2), SENML_JSON)
    assert registered.exchange(sent).type == ACK
    report = (await events.of(ValuesReported))[-1]
    assert (report.data.composite, report.data.event_type, values(report)) == (
        True,
        "climate",
        [("3303/0/5700", 2.0)],
    )
    cancel = CancelObservation(endpoint=NAME, paths=("3/0", "3303/0/5700"))
    heard, code = await heard_for(client, registered, cancel, CONTENT, payload=b"[]", form=SENML_JSON)
    assert (heard.code, heard.token, heard.number(OBSERVE), code) == (FETCH, request.token, 1, "2.05")
    assert json.loads(heard.payload) == [{"n": "/3303/0/5700"}, {"n": "/3/0"}]
    assert [event.data.state for event in await events.of(ObservationChanged)] == ["established", "cancelled"]


@pytest.mark.parametrize("version", ["1.0"])
@pytest.mark.parametrize(
    "command",
    [
        WriteComposite(endpoint=NAME, values=(PathValue(path="1/0/1", value=60),)),
        ObserveComposite(endpoint=NAME, paths=("3303/0/5700",)),
    ],
    ids=["write", "observe"],
)
async def test_a_1_0_device_is_asked_for_nothing_composite(
    client: Client, device: NewDevice, version: str, command: Command
) -> None:
    one = device(NAME)
    one.register(LINKS, version=version)
    answer = await commanded(client, command)
    assert isinstance(answer, CommandFailure)
    assert answer.error == "invalid"


async def test_what_no_depth_of_the_specification_has_is_refused_before_it_reaches_the_device(
    client: Client, registered: LockstepDevice
) -> None:
    value = (PathValue(path="3303/0/5700", value=1.0),)
    for command in (
        ExecuteResource(endpoint=NAME, path="3/0"),
        DeleteObjectInstance(endpoint=NAME, path="3303"),
        DeleteObjectInstance(endpoint=NAME, path="3303/0/5700"),
        DiscoverResources(endpoint=NAME, path="3303/0/5700/1"),
        WriteResource(endpoint=NAME, path="3303", values=value),
        CreateObjectInstance(endpoint=NAME, path="3303/0/5700", values=value),
    ):
        answer = await commanded(client, command)
        assert isinstance(answer, CommandFailure), command
        assert answer.error == "invalid", command
    # The next thing that the device hears is this.
    heard, _ = await heard_for(client, registered, ReadResource(endpoint=NAME, path="3/0/0"), 0x84)
    assert heard.path() == "3/0/0"
