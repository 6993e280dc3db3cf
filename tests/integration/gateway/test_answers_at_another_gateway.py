"""A device that moves to another gateway between a request and its answer: the answer reaches whoever asked."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from flownexus_schemas import subjects
from flownexus_schemas.commands import (
    Command,
    CommandAnswer,
    CommandFailure,
    ObserveResource,
    ReadResource,
    answer_adapter,
)
from flownexus_schemas.events import ValuesReported
from flownexus_schemas.operations.messages import KeptAnswer, parse_kept_answer
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.subjects import Stream
from harness.lockstep import (
    ACK,
    BLOCK2,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    CREATED,
    GET,
    NON,
    OBSERVE,
    RST,
    TEXT,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
    parse,
    uint,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.two_gateways import held_by, speaks_to, stored

EMPTY = 0
MORE, SIZE_16 = 8, 0


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile()


@pytest.fixture
async def moving(
    device: NewDevice, js: JetStreamContext, gateway: ServiceProcess, service: Callable[..., ServiceProcess]
) -> LockstepDevice:
    """Registered at gw-1; what it sends from now on goes to gw-2, which knows it."""
    assert gateway.is_running
    second = service("flownexus_gateway", FLOWNEXUS_GATEWAY_ID="gw-2")
    client = device()
    assert client.register("</3/0>").code == CREATED
    await held_by(js, "device-1", "gw-1")
    speaks_to(client, second)
    return client


READ = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=10)
OBSERVE_IT = ObserveResource(endpoint="device-1", path="3/0/0", timeout_s=10)


def ask(js: JetStreamContext, command: Command = READ) -> asyncio.Task[CommandAnswer]:
    """By way of gw-1."""

    async def asked() -> CommandAnswer:
        payload = command.model_dump_json().encode()
        reply = await js._nc.request(subjects.gateway_request("gw-1"), payload, timeout=20)
        answer = answer_adapter.validate_json(reply.data)
        assert isinstance(answer, CommandAnswer), answer
        return answer

    return asyncio.create_task(asked())


async def request_at(client: LockstepDevice) -> Heard:
    return await asyncio.to_thread(client.expect_request, GET, "3/0/0")


def content(type_: int, message_id: int, token: bytes, payload: bytes, block: int | None = None) -> bytes:
    options = [(CONTENT_FORMAT, uint(TEXT))]
    if block is not None:
        options.append((BLOCK2, uint(block)))
    return datagram(type_, CONTENT, message_id, token, options, payload)


def says(answer: CommandAnswer) -> tuple[str, list[object]]:
    return answer.code, [value.value for value in answer.values]


async def test_an_answer_on_the_acknowledgement(js: JetStreamContext, events: Events, moving: LockstepDevice) -> None:
    asked = ask(js)
    request = await request_at(moving)
    moving.send(content(ACK, request.message_id, request.token, b"maker"))
    assert says(await asked) == ("2.05", ["maker"])
    assert len(await events.wait(ValuesReported)) == 1
    await held_by(js, "device-1", "gw-2")
    with pytest.raises(Silence):
        moving.receive(3.5)  # the request is not sent again


async def test_an_answer_by_itself_is_acknowledged_where_it_came_to(
    js: JetStreamContext, moving: LockstepDevice
) -> None:
    asked = ask(js)
    request = await request_at(moving)
    moving.send(datagram(ACK, EMPTY, request.message_id, b""))
    with pytest.raises(Silence):
        moving.receive(3.5)  # the request is not sent again
    sent = content(CON, next(moving.message_ids), request.token, b"maker")
    heard = await asyncio.to_thread(moving.exchange, sent)
    assert (heard.type, heard.code) == (ACK, EMPTY)
    assert says(await asked) == ("2.05", ["maker"])
    with pytest.raises(Silence):
        moving.receive(0.5)  # nor acknowledged twice


async def test_an_answer_to_a_request_to_observe(js: JetStreamContext, moving: LockstepDevice) -> None:
    """Its token is that of the observation, which both gateways know; the one that holds the device now asks again
    where it does not know yet that it is established.
    """
    asked = ask(js, OBSERVE_IT)
    request = await request_at(moving)
    options = [(OBSERVE, b""), (CONTENT_FORMAT, uint(TEXT))]
    moving.send(datagram(ACK, CONTENT, request.message_id, request.token, options, b"maker"))
    assert says(await asked) == ("2.05", ["maker"])
    again = await request_at(moving)
    assert (again.token, again.message_id != request.message_id) == (request.token, True)
    moving.send(datagram(ACK, CONTENT, again.message_id, again.token, options, b"maker"))
    with pytest.raises(Silence):
        moving.receive(3.5)  # the request is not sent again
    notified = datagram(CON, CONTENT, next(moving.message_ids), request.token, [(OBSERVE, b"\x02"), *options[1:]], b"m")
    assert (await asyncio.to_thread(moving.exchange, notified)).type == ACK


async def test_an_answer_that_asks_for_no_acknowledgement(js: JetStreamContext, moving: LockstepDevice) -> None:
    asked = ask(js)
    request = await request_at(moving)
    moving.send(content(NON, next(moving.message_ids), request.token, b"maker"))
    assert says(await asked) == ("2.05", ["maker"])


async def test_each_block_of_an_answer(js: JetStreamContext, moving: LockstepDevice) -> None:
    asked = ask(js)
    blocks = [b"a maker of thing", b"s with a long na", b"me"]
    for number, block in enumerate(blocks):
        request = await request_at(moving)
        more = MORE if number < len(blocks) - 1 else 0
        moving.send(content(ACK, request.message_id, request.token, block, number << 4 | more | SIZE_16))
    assert says(await asked) == ("2.05", [b"".join(blocks).decode()])


async def test_what_nobody_asked_for_is_reset(js: JetStreamContext, moving: LockstepDevice) -> None:
    """Also with a token that could be of another gateway; and it moves nothing."""
    asked = ask(js)
    request = await request_at(moving)
    others = request.token[:2] + bytes(6)
    for token in (others, b"\x01\x02", b"\x11" * 8):
        heard = await asyncio.to_thread(moving.exchange, content(CON, next(moving.message_ids), token, b"forged"))
        assert heard.type == RST
    entry = await stored(js, "device-1")
    assert entry is not None
    assert entry.registration.gateway == "gw-1"
    moving.send(content(ACK, request.message_id, request.token, b"maker"))
    assert says(await asked) == ("2.05", ["maker"])


async def test_an_answer_from_another_host_is_nobodys(js: JetStreamContext, moving: LockstepDevice) -> None:
    asked = ask(js)
    request = await request_at(moving)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.2", 0))
        stranger.settimeout(5)
        stranger.sendto(content(CON, 1, request.token, b"forged"), moving.server)
        assert parse(await asyncio.to_thread(stranger.recv, 100)).type == RST
    moving.send(content(ACK, request.message_id, request.token, b"maker"))
    assert says(await asked) == ("2.05", ["maker"])


async def test_an_answer_to_an_attempt_that_was_given_up_is_kept_all_the_same(
    js: JetStreamContext, moving: LockstepDevice
) -> None:
    command = READ.model_copy(update={"timeout_s": 0.5, "operation_id": "op-1", "operation_attempt": 2})
    asked = js._nc.request(subjects.gateway_request("gw-1"), command.model_dump_json().encode(), timeout=20)
    request, given_up = await asyncio.gather(request_at(moving), asked)
    failure = answer_adapter.validate_json(given_up.data)
    assert isinstance(failure, CommandFailure)
    assert failure.error == "no-answer"
    moving.send(datagram(ACK, EMPTY, request.message_id, b""))
    sent = content(CON, next(moving.message_ids), request.token, b"maker")
    heard = await asyncio.to_thread(moving.exchange, sent)
    assert (heard.type, heard.code) == (ACK, EMPTY)

    async def kept() -> KeptAnswer | None:
        with suppress(NotFoundError):
            message = await js.get_last_msg(Stream.OPERATIONS, subjects.operation_answer("device-1", "op-1"))
            return parse_kept_answer(message.data or b"")
        return None

    answer: KeptAnswer = await until(kept, 10, "the answer in the stream")
    assert (answer.attempt, says(answer.answer)) == (2, ("2.05", ["maker"]))
