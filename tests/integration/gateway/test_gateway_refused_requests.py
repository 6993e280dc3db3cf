"""Requests that no device could carry out end at the gateway, with the reason."""

from __future__ import annotations

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.commands import Command, CommandFailure, ExecuteResource, ReadResource, WriteAttributes
from harness.commanded import answered, commanded
from harness.lockstep import GET, NOT_FOUND
from integration.gateway.gateway_events import NewDevice

NAME = "device-1"


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (WriteAttributes(endpoint=NAME, path="3303/0", attributes={"gt": 1}), "gt is for a resource"),
        (WriteAttributes(endpoint=NAME, path="3303/0/5700", attributes={"edge": 1}), "edge came with LwM2M 1.2"),
        (WriteAttributes(endpoint=NAME, path="3/0/0", attributes={"st": 1}), "/3/0/0 is string"),
        (WriteAttributes(endpoint=NAME, path="3303", attributes={"pmin": 9, "pmax": 3}), "above pmax"),
        (ExecuteResource(endpoint=NAME, path="3/0/4", arguments="now"), "arguments are digits"),
    ],
)
async def test_what_cannot_be_right_never_reaches_the_device(
    js: JetStreamContext, device: NewDevice, command: Command, reason: str
) -> None:
    one = device(NAME)
    one.register("</3/0>,</3303/0>")
    failure = await commanded(js._nc, command)
    assert isinstance(failure, CommandFailure)
    assert failure.error == "invalid"
    assert reason in failure.reason
    # The next thing that the device hears is this.
    read = ReadResource(endpoint=NAME, path="3/0/0")
    assert (
        await answered(js._nc, read, lambda: one.answer(one.expect_request(GET, "3/0/0"), NOT_FOUND))
    ).code == "4.04"
