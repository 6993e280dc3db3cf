"""A device behind a NAT that gives it another port between any two datagrams: the one before leads nowhere."""

from __future__ import annotations

from collections.abc import AsyncIterator

import nats
import pytest
from nats.aio.client import Client

from flownexus_schemas.commands import PathValue, ReadResource, WriteResource
from flownexus_schemas.events import EndpointDeregistered, EndpointRegistered, ValuesReported
from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from harness.commanded import answered
from harness.embedded import RunningNats
from harness.lockstep import (
    ACK,
    BLOCK1,
    CHANGED,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    CREATED,
    GET,
    LINK_FORMAT,
    NOT_FOUND,
    OBSERVE,
    POST,
    PUT,
    SENML_JSON,
    TEXT,
    TLV,
    URI_PATH,
    URI_QUERY,
    datagram,
    uint,
)
from harness.services import ServiceProcess
from integration.gateway.gateway_events import Events, NewDevice

LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>,</16/0>'
CONTINUE = 0x5F
TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"
READ = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=10)


@pytest.fixture
async def client(gateway: ServiceProcess, nats_server: RunningNats) -> AsyncIterator[Client]:
    connection = await nats.connect(nats_server.url)
    yield connection
    await connection.close()


async def test_an_answer_from_another_port_is_taken_and_the_next_request_goes_there(
    client: Client, device: NewDevice
) -> None:
    one = device()
    one.register(LINKS)

    def serve() -> None:
        request = one.expect_request(GET, "3/0/0")
        one.move()
        one.answer(request, payload=b"maker", content_format=TEXT)

    for _ in range(3):
        answer = await answered(client, READ, serve)

        assert (answer.code, answer.values[0].value) == ("2.05", "maker")


async def test_a_separate_answer_from_a_third_port_is_acknowledged_there(client: Client, device: NewDevice) -> None:
    one = device()
    one.register(LINKS)

    def serve() -> None:
        request = one.expect_request(GET, "3/0/0")
        one.move()
        one.send(datagram(ACK, 0, request.message_id))
        one.move()
        options = [(CONTENT_FORMAT, uint(TEXT))]
        heard = one.exchange(datagram(CON, CONTENT, 4711, request.token, options, b"maker"))
        assert (heard.type, heard.code) == (ACK, 0)

    answer = await answered(client, READ, serve)

    assert (answer.code, answer.values[0].value) == ("2.05", "maker")


async def test_a_write_in_blocks_follows_the_device_from_port_to_port(client: Client, device: NewDevice) -> None:
    one = device()
    one.register(LINKS)
    text = "".join(f"{number:04}" for number in range(1000))
    taken: list[bytes] = []

    def serve() -> None:
        more = 1
        while more:
            block = one.expect_request(PUT, "16/0/0")
            number = block.number(BLOCK1) or 0
            more = number >> 3 & 1
            taken.append(block.payload)
            one.move()
            code = CONTINUE if more else CHANGED
            one.send(datagram(ACK, code, block.message_id, block.token, [(BLOCK1, uint(number))]))

    write = WriteResource(
        endpoint="device-1", path="16/0/0", values=(PathValue(path="16/0/0", value=text, type="string"),), format=TEXT
    )
    answer = await answered(client, write, serve)

    assert answer.code == "2.04"
    assert b"".join(taken) == text.encode()
    assert len(taken) == 4


async def test_a_register_sent_again_from_another_port_is_one_registration(
    client: Client, device: NewDevice, events: Events
) -> None:
    one = device()
    one.send(one.register_datagram(LINKS, message_id=77))
    first = one.receive()
    one.move()
    again = one.register(LINKS, message_id=77)

    def serve() -> None:
        one.answer(one.expect_request(GET, "3/0/0"), payload=b"maker", content_format=TEXT)

    answer = await answered(client, READ, serve)

    assert (first.code, again.code) == (CREATED, CREATED)
    assert first.location() == again.location()
    assert answer.code == "2.05"
    assert len(await events.of(EndpointRegistered)) == 1
    assert not await events.of(EndpointDeregistered)


async def test_a_register_in_blocks_from_a_port_each_is_put_together(device: NewDevice, events: Events) -> None:
    one = device()
    links = LINKS.encode() + b"".join(b",</3303/%d>" % number for number in range(1, 20))
    queries = [(URI_PATH, b"rd"), *((URI_QUERY, query) for query in (b"lwm2m=1.1", b"ep=device-1", b"lt=300"))]
    blocks = [links[start : start + 64] for start in range(0, len(links), 64)]
    for number, block in enumerate(blocks):
        more = number + 1 < len(blocks)
        options = [*queries, (CONTENT_FORMAT, uint(LINK_FORMAT)), (BLOCK1, uint(number << 4 | more << 3 | 2))]
        one.move()
        heard = one.exchange(datagram(CON, POST, 500 + number, b"\x05", options, block))
        assert heard.code == (CONTINUE if more else CREATED)

    (event,) = await events.wait(EndpointRegistered)
    assert "3303/19" in event.data.object_links


async def test_a_send_from_another_port_is_4_04_until_an_update_came_from_there(device: NewDevice) -> None:
    one = device()
    one.register(LINKS)
    one.move()
    options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(SENML_JSON))]
    pack = b'[{"n":"/3303/0/5700","v":21.5}]'

    refused = one.exchange(datagram(CON, POST, 600, b"\x06", options, pack))
    one.update()
    taken = one.exchange(datagram(CON, POST, 601, b"\x06", options, pack))

    assert refused.code == NOT_FOUND
    assert b"update the registration" in refused.payload
    assert taken.code == CHANGED


@pytest.mark.parametrize("profile", [ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),))])
async def test_the_first_value_of_an_observation_and_its_notifications_come_from_a_port_each(
    device: NewDevice, events: Events
) -> None:
    one = device()
    one.register(LINKS)
    asked = one.expect_request(GET, "3303/0/5700")
    one.move()
    one.send(
        datagram(
            ACK,
            CONTENT,
            asked.message_id,
            asked.token,
            [(OBSERVE, uint(1)), (CONTENT_FORMAT, uint(TLV))],
            TLV_21_5,
        )
    )
    await events.wait(ValuesReported, 1)
    for sequence in (2, 3):
        one.move()
        heard = one.exchange(one.notification(asked.token, sequence, TLV_21_5))
        assert (heard.type, heard.code) == (ACK, 0)

    assert len(await events.wait(ValuesReported, 3)) == 3
