"""Register, Update, Deregister over real UDP and real NATS. LwM2M Core 1.1.1, 6.2."""

from __future__ import annotations

import pytest

from flownexus_schemas.events import DeregistrationReason, EndpointDeregistered, EndpointRegistered, EndpointUpdated
from harness.lockstep import (
    BAD_REQUEST,
    CHANGED,
    CON,
    CREATED,
    DELETED,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    POST,
    PRECONDITION_FAILED,
    PUT,
    RST,
    URI_PATH,
    Silence,
    datagram,
)
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice

ZEPHYR = "</>;ct=112,</1/0>,</2>,</3/0>,</4/0>,</5/0>,</3303/0>"


async def test_register_is_answered_after_its_event_is_kept(device: NewDevice, events: Events) -> None:
    heard = device("urn:imei:1").register(ZEPHYR, "b=U", "Q")
    assert heard.code == CREATED
    root, identifier = heard.location().split("/")
    assert root == "rd"
    assert 0 < len(identifier) <= 12
    (event,) = await events.of(EndpointRegistered)
    assert event.subject == "urn:imei:1"
    assert event.data.registration_id == identifier
    assert event.data.queue_mode
    assert event.data.lifetime_s == 300
    assert "3303/0" in event.data.object_links


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
async def test_ipv4_and_ipv6_are_served_on_one_port(device: NewDevice, events: Events, host: str) -> None:
    client = device("device-1", host)
    assert client.register(ZEPHYR).code == CREATED
    (event,) = await events.of(EndpointRegistered)
    assert (event.data.address.host, event.data.address.port) == (host, client.port)


@pytest.mark.parametrize(
    ("version", "lifetime", "content_format", "queries"),
    [("1.0", 30, 40, ()), ("1.0", None, None, ("b=UQ",)), ("1.2", 60, 40, ("b=U", "Q")), ("1.1", 0, 40, ())],
)
async def test_habits_of_registering_clients_are_taken(
    device: NewDevice, version: str, lifetime: int | None, content_format: int | None, queries: tuple[str, ...]
) -> None:
    client = device()
    links = '</1/1>,</2>,</3/0>,</10>;ver="1.1"'
    heard = client.register(links, *queries, version=version, lifetime=lifetime, content_format=content_format)
    assert heard.code == CREATED


async def test_a_retransmitted_register_gets_the_same_location_and_one_event(device: NewDevice, events: Events) -> None:
    client = device()
    first = client.register(ZEPHYR, message_id=7)
    second = client.register(ZEPHYR, message_id=7)
    assert (second.code, second.location()) == (CREATED, first.location())
    assert len(await events.of(EndpointRegistered)) == 1


async def test_a_rebooted_client_replaces_its_registration_though_every_byte_is_the_same(
    device: NewDevice, events: Events
) -> None:
    client = device()
    first = client.register(ZEPHYR, message_id=7).location()
    client.location = first
    assert client.update(message_id=8).code == CHANGED

    def registers_anew() -> bool:
        # For a second after the answer, it could still be a retransmission that crossed it.
        return client.register(ZEPHYR, message_id=7).location() != first

    await until(registers_anew)
    assert client.update(message_id=8).code == CHANGED
    (end,) = await events.of(EndpointDeregistered)
    assert (end.data.registration_id, end.data.reason) == (first.split("/")[1], DeregistrationReason.REPLACED)
    assert len(await events.of(EndpointRegistered)) == 2
    assert len(await events.of(EndpointUpdated)) == 2


async def test_a_new_register_replaces_the_old_registration(device: NewDevice, events: Events) -> None:
    client = device()
    first = client.register(ZEPHYR).location()
    second = client.register(ZEPHYR).location()
    assert first != second
    client.location = first
    assert client.update().code == NOT_FOUND
    kinds = [event.type.split(".")[3] for event in await events.fetch()]
    assert kinds == ["registered", "deregistered", "registered"]


async def test_update_carries_the_whole_registration(device: NewDevice, events: Events) -> None:
    client = device()
    client.register(ZEPHYR)
    assert client.update("lt=60", links="</3/0>,</3303/1>").code == CHANGED
    assert client.update().code == CHANGED
    first, second = await events.of(EndpointUpdated)
    assert first.data.lifetime_s == second.data.lifetime_s == 60
    assert first.data.object_links == second.data.object_links == ("3/0", "3303/1")


async def test_deregister_then_register_begins_again(device: NewDevice, events: Events) -> None:
    client = device()
    first = client.register(ZEPHYR, message_id=7).location()
    assert client.deregister().code == DELETED
    assert client.update().code == NOT_FOUND
    assert client.register(ZEPHYR, message_id=7).location() != first
    (end,) = await events.of(EndpointDeregistered)
    assert end.data.reason == DeregistrationReason.REQUEST
    assert len(await events.of(EndpointRegistered)) == 2


async def test_what_cannot_be_taken_is_answered_with_a_reason(device: NewDevice) -> None:
    client = device()
    refused = client.register(ZEPHYR, lifetime=-5)
    assert refused.code == BAD_REQUEST
    assert b"lifetime" in refused.payload
    assert client.register(ZEPHYR, version="2.0").code == PRECONDITION_FAILED
    for code, path, answer in [
        (POST, ["rd", "unknown"], NOT_FOUND),
        (POST, ["nowhere"], NOT_FOUND),
        (PUT, ["rd"], METHOD_NOT_ALLOWED),
    ]:
        options = [(URI_PATH, segment.encode()) for segment in path]
        assert client.exchange(datagram(CON, code, next(client.message_ids), b"t", options)).code == answer


async def test_a_ping_is_answered_with_a_reset(device: NewDevice) -> None:
    heard = device().exchange(datagram(CON, 0, 77))
    assert (heard.type, heard.code) == (RST, 0)


async def test_a_registration_expires(device: NewDevice, events: Events) -> None:
    client = device()
    client.register(ZEPHYR, lifetime=1)
    (end,) = await events.wait(EndpointDeregistered)
    assert end.data.reason == DeregistrationReason.EXPIRED
    assert client.update().code == NOT_FOUND


async def test_a_register_in_blocks_is_put_together(device: NewDevice, events: Events) -> None:
    client = device("blocks")
    links = ",".join(f"</3303/{number}>" for number in range(20)).encode()
    options = [(URI_PATH, b"rd"), (15, b"ep=blocks"), (15, b"lwm2m=1.1"), (12, bytes([40]))]
    blocks = [links[i : i + 64] for i in range(0, len(links), 64)]
    for number, block in enumerate(blocks):
        more = number < len(blocks) - 1
        value = (number << 4 | more << 3 | 2).to_bytes(2, "big").lstrip(b"\0")
        heard = client.exchange(datagram(CON, POST, next(client.message_ids), b"b", [*options, (27, value)], block))
        assert heard.code == (0x5F if more else CREATED)
    (event,) = await events.of(EndpointRegistered)
    assert len(event.data.object_links) == 20


async def test_silence_is_not_an_answer_but_a_device_that_never_registers_gets_none(device: NewDevice) -> None:
    client = device()
    client.send(b"\x80\x01\x00\x01")
    with pytest.raises(Silence):
        client.receive(0.2)
