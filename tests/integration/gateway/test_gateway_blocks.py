"""Payloads above one datagram, both ways. RFC 7959."""

from __future__ import annotations

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas.commands import CommandFailure, PathValue, ReadComposite, ReadResource, WriteResource
from flownexus_schemas.events import Trigger, ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from harness.commanded import answered, commanded
from harness.lockstep import (
    ACK,
    BLOCK1,
    BLOCK2,
    CHANGED,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    CREATED,
    FETCH,
    GET,
    OBSERVE,
    POST,
    PUT,
    SENML_JSON,
    URI_PATH,
    Heard,
    LockstepDevice,
    datagram,
    uint,
)
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import ENVIRONMENT, values

CONTINUE, INCOMPLETE, TOO_LARGE = 0x5F, 0x88, 0x8D
MORE, SIZE_128, SIZE_512, SIZE_1024 = 8, 3, 5, 6
SIZE1 = 60
TEXT_PATH = "5/0/1"


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


@pytest.fixture
def registered(device: NewDevice) -> LockstepDevice:
    one: LockstepDevice = device()
    assert one.register('</>;rt="oma.lwm2m";ct=110,</5/0>,</3303/0>').code == CREATED
    return one


def write(value: str) -> WriteResource:
    return WriteResource(endpoint="device-1", path=TEXT_PATH, values=(PathValue(path=TEXT_PATH, value=value),))


def take_block(device: LockstepDevice, size_exponent: int | None = None, code: int | None = None) -> tuple[Heard, int]:
    """One block of a write and its answer: with a size of our own, or a code. The block's option."""
    request = device.expect_request(PUT, TEXT_PATH)
    block = request.number(BLOCK1) or 0
    more = block & MORE
    size = block & 7 if size_exponent is None else min(block & 7, size_exponent)
    answer = (CONTINUE if more else CHANGED) if code is None else code
    # Zephyr sends 2.31 with M=0.
    options = [(BLOCK1, uint(block >> 4 << 4 | size))]
    device.send(datagram(ACK, answer, request.message_id, request.token, options))
    return request, block


async def test_a_megabyte_is_written_in_blocks_that_have_one_token(client: Client, registered: LockstepDevice) -> None:
    text = "".join(f"{number:07d}," for number in range(125_000))
    received = bytearray()
    tokens: set[bytes] = set()
    sizes: set[int] = set()

    def serve() -> None:
        more = True
        while more:
            request, block = take_block(registered, SIZE_512)
            assert block >> 4 << ((block & 7) + 4) == len(received)
            if not received:
                assert request.number(SIZE1) == 1_000_000
            received.extend(request.payload)
            tokens.add(request.token)
            sizes.add(len(request.payload))
            more = bool(block & MORE)

    answer = await answered(client, write(text), serve, timeout_s=90)
    assert answer.code == "2.04"
    assert received.decode() == text
    assert len(tokens) == 1
    assert max(sizes) == 1024
    assert len(received) % 512 in sizes


async def test_a_device_that_lost_the_transfer_gets_it_again_from_block_0(
    client: Client, registered: LockstepDevice
) -> None:
    text = "x" * 3000
    seen: list[int] = []

    def serve() -> None:
        for code in (None, INCOMPLETE, None, None, None):
            _, block = take_block(registered, code=code)
            seen.append(block >> 4)

    assert (await answered(client, write(text), serve)).code == "2.04"
    assert seen == [0, 1, 0, 1, 2]


async def test_a_refusal_in_the_middle_is_the_answer(client: Client, registered: LockstepDevice) -> None:
    def serve() -> None:
        take_block(registered)
        take_block(registered, code=TOO_LARGE)

    assert (await answered(client, write("x" * 3000), serve)).code == "4.13"


async def test_what_a_device_refuses_as_too_large_goes_in_blocks_of_the_size_that_it_names(
    client: Client, registered: LockstepDevice
) -> None:
    text = "".join(f"{number:03d}," for number in range(75))
    received = bytearray()
    sizes: list[object] = []

    def serve() -> None:
        refused = registered.expect_request(PUT, TEXT_PATH)
        assert refused.number(BLOCK1) is None
        registered.send(datagram(ACK, TOO_LARGE, refused.message_id, refused.token, [(BLOCK1, uint(MORE | SIZE_128))]))
        more = True
        while more:
            request, block = take_block(registered)
            received.extend(request.payload)
            sizes.append((block & 7, request.number(SIZE1)))
            more = bool(block & MORE)

    assert (await answered(client, write(text), serve)).code == "2.04"
    assert received.decode() == text
    assert sizes == [(SIZE_128, 300), (SIZE_128, None), (SIZE_128, None)]


@pytest.mark.parametrize("options", [[], [(BLOCK1, uint(SIZE_1024))]])
async def test_too_large_without_a_smaller_size_is_the_answer(
    client: Client, registered: LockstepDevice, options: list[tuple[int, bytes]]
) -> None:
    def serve() -> None:
        refused = registered.expect_request(PUT, TEXT_PATH)
        registered.send(datagram(ACK, TOO_LARGE, refused.message_id, refused.token, options, b"64 at most"))

    answer = await answered(client, write("x" * 300), serve)
    assert (answer.code, answer.diagnostic) == ("4.13", "64 at most")


async def test_many_paths_of_a_composite_read_and_their_values_go_in_blocks_of_one_token(
    client: Client, registered: LockstepDevice
) -> None:
    paths = tuple(f"3303/{number}/5700" for number in range(100))
    pack = ("[" + ",".join(f'{{"n":"/{path}","v":{number}}}' for number, path in enumerate(paths)) + "]").encode()
    asked, tokens = bytearray(), set()

    def serve() -> None:
        more = True
        while more:
            request = registered.expect_request(FETCH, "")
            block = request.number(BLOCK1) or 0
            asked.extend(request.payload)
            tokens.add(request.token)
            more = bool(block & MORE)
            if more:
                options = [(BLOCK1, uint(block))]
                registered.send(datagram(ACK, CONTINUE, request.message_id, request.token, options))
        options = [(BLOCK1, uint(block)), (BLOCK2, uint(MORE | SIZE_1024))]
        registered.send(datagram(ACK, CONTENT, request.message_id, request.token, options, pack[:1024]))
        for number in range(1, -(-len(pack) // 1024)):
            request = registered.expect_request(FETCH, "")
            tokens.add(request.token)
            assert (request.number(BLOCK2), request.number(BLOCK1), request.payload) == (
                number << 4 | SIZE_1024,
                None,
                b"",
            )
            end = (number + 1) * 1024
            options = [(BLOCK2, uint(number << 4 | (MORE if end < len(pack) else 0) | SIZE_1024))]
            registered.send(
                datagram(ACK, CONTENT, request.message_id, request.token, options, pack[number * 1024 : end])
            )

    answer = await answered(client, ReadComposite(endpoint="device-1", paths=paths), serve)
    assert asked.decode() == "[" + ",".join(f'{{"n":"/{path}"}}' for path in paths) + "]"
    # No Content-Format came back: the values are in the one that was asked for.
    assert [(value.path, value.value) for value in answer.values] == [(path, n) for n, path in enumerate(paths)]
    assert len(tokens) == 1


async def test_a_device_that_stops_answering_in_the_middle_ends_the_transfer(
    client: Client, registered: LockstepDevice
) -> None:
    command = write("x" * 3000).model_copy(update={"timeout_s": 0.5})
    answer = await commanded(client, command, lambda: take_block(registered))
    assert isinstance(answer, CommandFailure)
    assert answer.error == "no-answer"


def serve_in_blocks(device: LockstepDevice, code: int, path: str, payload: bytes, request: Heard | None = None) -> None:
    """Answer a request, here or the next, and those for the blocks that follow."""
    size = 1024
    for number in range(-(-len(payload) // size)):
        heard = device.expect_request(code, path) if request is None or number else request
        assert (heard.number(BLOCK2) or 0) >> 4 == number
        more = MORE if (number + 1) * size < len(payload) else 0
        options = [(CONTENT_FORMAT, uint(SENML_JSON)), (BLOCK2, uint(number << 4 | more | SIZE_1024))]
        block = payload[number * size : (number + 1) * size]
        device.send(datagram(ACK, CONTENT, heard.message_id, heard.token, options, block))


async def test_an_answer_in_blocks_is_put_together(client: Client, registered: LockstepDevice) -> None:
    pack = ('[{"bn":"/5/0/","n":"1","vs":"' + "y" * 5000 + '"}]').encode()
    read = ReadResource(endpoint="device-1", path="5/0")
    answer = await answered(client, read, lambda: serve_in_blocks(registered, GET, "5/0", pack))
    assert [value.value for value in answer.values] == ["y" * 5000]


@pytest.mark.parametrize("profile", [ENVIRONMENT])
async def test_a_composite_notification_in_blocks_is_one_event_of_its_type(device: NewDevice, events: Events) -> None:
    one = device()
    one.register('</>;rt="oma.lwm2m";ct=110,</3303/0>')
    observe = one.expect_request(FETCH, "")
    one.answer(observe, payload=b'[{"n":"/3303/0/5700","v":1}]', content_format=SENML_JSON, observe=0)
    await events.wait(ValuesReported)
    records = ",".join(f'{{"n":"/3303/{number}/5700","v":{number}}}' for number in range(100))
    pack = f"[{records}]".encode()
    options = [(OBSERVE, b"\x01"), (CONTENT_FORMAT, uint(SENML_JSON)), (BLOCK2, uint(MORE | SIZE_1024))]
    one.send(datagram(CON, CONTENT, next(one.message_ids), observe.token, options, pack[:1024]))
    heard = [one.receive(), one.receive()]
    request = next(each for each in heard if each.code == FETCH)
    assert request.token != observe.token
    assert request.number(OBSERVE) is None
    serve_in_blocks(one, FETCH, "", pack, request)
    _, _, whole = await events.wait(ValuesReported, 3)
    assert values(whole) == [(f"3303/{number}/5700", number) for number in range(100)]
    assert (whole.data.trigger, whole.data.composite, whole.data.event_type) == (Trigger.NOTIFY, True, "environment")


@pytest.mark.parametrize("profile", [ENVIRONMENT])
async def test_a_notification_in_blocks_while_an_earlier_one_is_being_read_is_read_after_it(
    device: NewDevice, events: Events
) -> None:
    one = device()
    one.register('</>;rt="oma.lwm2m";ct=110,</3303/0>')
    observe = one.expect_request(FETCH, "")
    one.answer(observe, payload=b'[{"n":"/3303/0/5700","v":1}]', content_format=SENML_JSON, observe=0)
    await events.wait(ValuesReported)

    def notify(number: int) -> tuple[bytes, list[Heard]]:
        """A first block; what it is answered with."""
        pack = ("[" + ",".join(f'{{"n":"/3303/{each}/5700","v":{number}}}' for each in range(50)) + "]").encode()
        options = [(OBSERVE, uint(number)), (CONTENT_FORMAT, uint(SENML_JSON)), (BLOCK2, uint(MORE | SIZE_1024))]
        one.send(datagram(CON, CONTENT, next(one.message_ids), observe.token, options, pack[:1024]))
        return pack, [one.receive() for _ in range(2 if number == 2 else 1)]

    older, answers = notify(2)
    request = next(each for each in answers if each.code == FETCH)
    newer, acknowledged = notify(3)
    assert [each.type for each in acknowledged] == [ACK]
    serve_in_blocks(one, FETCH, "", older, request)
    serve_in_blocks(one, FETCH, "", newer)
    reports = [event for event in await events.wait(ValuesReported, 5) if event.data.records]
    assert [[value for _, value in values(event)] for event in reports] == [[1.0], [2.0] * 50, [3.0] * 50]


@pytest.mark.parametrize("profile", [ObservationProfile()])
async def test_a_thousand_stored_records_come_by_one_send_in_blocks(registered: LockstepDevice, events: Events) -> None:
    records = ",".join(f'{{"n":"/3303/0/5700","v":{number},"t":-{1000 - number}}}' for number in range(1000))
    pack = f"[{records}]".encode()
    blocks = [pack[start : start + 1024] for start in range(0, len(pack), 1024)]
    for number, block in enumerate(blocks):
        more = MORE if number < len(blocks) - 1 else 0
        options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(SENML_JSON))]
        options.append((BLOCK1, uint(number << 4 | more | SIZE_1024)))
        heard = registered.exchange(datagram(CON, POST, next(registered.message_ids), b"s", options, block))
        assert heard.code == (CONTINUE if more else CHANGED)
    (report,) = await events.of(ValuesReported)
    assert [value for _, value in values(report)] == list(range(1000))
    times = [record.time for record in report.data.records]
    assert times == sorted(times)
    assert 990 < (times[-1] - times[0]).total_seconds() < 1000
