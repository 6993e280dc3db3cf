"""Habits of Anjay's client, each played with bytes written by hand. docs/devices.md has the table."""

from __future__ import annotations

import pytest
from nats.aio.client import Client

from flownexus_schemas.commands import PathValue, ReadComposite, WriteResource
from flownexus_schemas.events import EndpointRegistered, EndpointUpdated, Trigger, ValuesReported
from harness.commanded import answered
from harness.lockstep import (
    CHANGED,
    CONTENT,
    CREATED,
    FETCH,
    PUT,
    SENML_CBOR,
    SENML_JSON,
)
from integration.gateway.gateway_events import Events, NewDevice
from interop.habits import NAME, reported, send, serves

LINKS_1_1 = "</1/1>,</2>,</3/0>,</3303/0>,</10>;ver=1.1"
LINKS_1_0 = '</1/1>,</2>,</3/0>,</3303/0>,</10>;ver="1.1"'


@pytest.mark.parametrize(
    ("version", "links", "queries"),
    [
        ("1.0", LINKS_1_0, ("b=UQ",)),
        ("1.1", LINKS_1_1, ("Q",)),
        ("1.2", LINKS_1_1, ("Q",)),
    ],
)
async def test_it_registers_in_queue_mode_with_the_versions_of_its_objects(
    device: NewDevice, events: Events, version: str, links: str, queries: tuple[str, ...]
) -> None:
    assert device(NAME).register(links, *queries, version=version).code == CREATED
    (event,) = await events.of(EndpointRegistered)
    stated = event.data
    assert (stated.lwm2m_version, stated.binding, stated.queue_mode) == (version, "U", True)
    assert stated.object_versions == {"10": "1.1"}
    assert "1/1" in stated.object_links
    assert stated.warnings == ()


async def test_paths_that_a_composite_answer_leaves_out_are_left_out(
    bus: Client, device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    one.register('</>;rt="oma.lwm2m";ct=110,' + LINKS_1_1)
    pack = b'[{"bn":"/3/0","n":"/9","v":80}]'
    read = ReadComposite(endpoint=NAME, paths=("3/0/9", "3/0/99"))
    answer = await answered(bus, read, serves(one, FETCH, "", CONTENT, pack, SENML_JSON))
    assert (answer.code, [(value.path, value.value) for value in answer.values]) == ("2.05", [("3/0/9", 80)])
    assert reported(await events.of(ValuesReported)) == [[("3/0/9", 80)]]


async def test_an_update_before_the_answer_to_a_write_of_the_lifetime_is_answered_first(
    bus: Client, device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    one.register(LINKS_1_1)

    def serve() -> None:
        request = one.expect_request(PUT, "1/1/1")
        assert one.update("lt=60").code == CHANGED
        one.answer(request, CHANGED)

    write = WriteResource(endpoint=NAME, path="1/1/1", values=(PathValue(path="1/1/1", value=60),))
    assert (await answered(bus, write, serve)).code == "2.04"
    (updated,) = await events.of(EndpointUpdated)
    assert updated.data.lifetime_s == 60


async def test_a_send_in_senml_cbor_is_one_report(device: NewDevice, events: Events) -> None:
    one = device(NAME)
    one.register(LINKS_1_1)
    # [{-2: "/3303/0", 0: "/5700", 2: 21.5}, {0: "/5701", 3: "Cel"}]
    pack = b"\x82\xa3\x21\x67/3303/0\x00\x65/5700\x02\xf9\x4d\x60\xa2\x00\x65/5701\x03\x63Cel"
    assert send(one, pack, SENML_CBOR).code == CHANGED
    (report,) = await events.of(ValuesReported)
    assert report.data.trigger == Trigger.SEND
    assert reported([report]) == [[("3303/0/5700", 21.5), ("3303/0/5701", "Cel")]]
