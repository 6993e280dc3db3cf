"""Habits of Wakaama's client, each played with bytes written by hand. docs/devices.md has the table."""

from __future__ import annotations

import pytest
from nats.aio.client import Client

from flownexus_schemas.commands import (
    Command,
    CommandFailure,
    ExecuteResource,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteComposite,
    WriteResource,
)
from flownexus_schemas.events import EndpointRegistered, EndpointUpdated
from harness.commanded import answered, commanded
from harness.lockstep import (
    ACK,
    CHANGED,
    CONTENT,
    CREATED,
    FETCH,
    GET,
    POST,
    PUT,
    TLV,
    LockstepDevice,
    datagram,
)
from integration.gateway.gateway_events import Events, NewDevice
from interop.habits import NAME, TLV_21_5, serves

IPATCH = 0x07
LINKS = '</>;rt="oma.lwm2m";ct=110,</1>;ver=1.1,</1/0>,</2/0>,</3/0>,</3303/0>'


@pytest.fixture
def registered(device: NewDevice) -> LockstepDevice:
    one: LockstepDevice = device(NAME)
    assert one.register(LINKS, "b=U").code == CREATED
    return one


async def still_reads(bus: Client, one: LockstepDevice) -> bool:
    read = ReadResource(endpoint=NAME, path="3303/0")
    return (await answered(bus, read, serves(one, GET, "3303/0", CONTENT, TLV_21_5, TLV))).code == "2.05"


@pytest.mark.parametrize("content_format", [110, 112])
async def test_it_registers_with_a_typed_root_and_its_format(
    device: NewDevice, events: Events, content_format: int
) -> None:
    assert device(NAME).register(LINKS.replace("ct=110", f"ct={content_format}"), "b=U").code == CREATED
    (event,) = await events.of(EndpointRegistered)
    stated = event.data
    assert (stated.binding, stated.queue_mode, stated.root_path) == ("U", False, "/")
    assert (stated.content_formats, stated.object_versions) == ((content_format,), {"1": "1.1"})
    assert stated.warnings == ()


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (ReadComposite(endpoint=NAME, paths=("3303/0/5700",), timeout_s=1), FETCH),
        (WriteComposite(endpoint=NAME, values=(PathValue(path="1/0/1", value=60),), timeout_s=1), IPATCH),
    ],
)
async def test_a_composite_request_that_it_acknowledges_and_never_answers_times_out_and_holds_nothing_up(
    bus: Client, registered: LockstepDevice, command: Command, code: int
) -> None:
    def serve() -> None:
        registered.send(datagram(ACK, 0, registered.expect_request(code, "").message_id))
        assert registered.update().code == CHANGED

    failure = await commanded(bus, command, serve)
    assert isinstance(failure, CommandFailure)
    assert failure.error == "no-answer"
    assert await still_reads(bus, registered)


async def test_a_trigger_of_the_update_that_no_update_follows_holds_nothing_up(
    bus: Client, registered: LockstepDevice, events: Events
) -> None:
    trigger = ExecuteResource(endpoint=NAME, path="1/0/8")
    assert (await answered(bus, trigger, serves(registered, POST, "1/0/8", CHANGED))).code == "2.04"
    assert await still_reads(bus, registered)
    assert await events.of(EndpointUpdated) == []


@pytest.mark.parametrize(("path", "value"), [("1/0/1", 60), ("1/0/7", "UQ")])
async def test_the_registration_stays_as_it_was_stated_when_no_update_follows_a_write(
    bus: Client, registered: LockstepDevice, events: Events, path: str, value: object
) -> None:
    write = WriteResource.model_validate(
        {"endpoint": NAME, "path": path, "values": [PathValue.model_validate({"path": path, "value": value})]}
    )
    assert (await answered(bus, write, serves(registered, PUT, path, CHANGED))).code == "2.04"
    assert await still_reads(bus, registered)
    assert registered.update().code == CHANGED
    (updated,) = await events.of(EndpointUpdated)
    assert (updated.data.lifetime_s, updated.data.binding) == (300, "U")
