"""Sessions kept and handed over at moments that processes meet by chance alone: a lost answer of NATS, a record that is
brought again before it was kept, two gateways at once. The bus is the real one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, cast

import pytest
from nats.js import JetStreamContext, api

from flownexus_gateway.transport.dtls import session_store
from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.session_handover import SessionHandover
from flownexus_gateway.transport.dtls.session_store import SessionStore
from harness.dtls_wire import SEALER, Credentials, Wire, WireClient, psk_credential
from harness.waiting import until

NewGateway = Callable[..., Awaitable["Gateway"]]


class Gateway:
    """A DTLS server with its store, in this process. `is_silent`: it answers no other gateway."""

    def __init__(self, js: JetStreamContext, id_: str, credentials: Credentials) -> None:
        self.wire = Wire(credentials)
        self.handover = SessionHandover(js._nc, id_)
        associations = self.wire.server.associations
        self.store = SessionStore(js, SEALER, associations, lambda *at: self.wire.peer(at), self.handover)
        associations.on_begun, associations.on_heard = self.store.begin, self.store.changed
        associations.on_low, associations.on_ended = self.store.soon, self.store.ended
        self.wire.server.look_up = self.store.look_up

    @property
    def associations(self) -> list[Association]:
        return list(self.wire.server.associations)

    def heard(self) -> list[bytes]:
        return [data for data, _ in self.wire.heard]

    async def settled(self) -> None:
        """Until the store has nothing under way."""
        await until(lambda: not self.store._tasks and not self.store._saving, what="the end of what is under way")


class BadBus:
    """JetStream whose answers to publications are lost while `is_losing`, and come no sooner than `answers` is set; the
    publications are stored all the same, and `published` counts them.
    """

    def __init__(self, js: JetStreamContext) -> None:
        self._js, self.is_losing, self.published = js, False, 0
        self.answers = asyncio.Event()
        self.answers.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._js, name)

    async def publish(self, *arguments: Any, **options: Any) -> api.PubAck:
        answer = await self._js.publish(*arguments, **options)
        self.published += 1
        await self.answers.wait()
        if self.is_losing:
            raise TimeoutError
        return answer


@pytest.fixture
async def new_gateway(js: JetStreamContext) -> AsyncIterator[NewGateway]:
    """Makes gateways that know device-1."""
    async with AsyncExitStack() as stack:

        async def new(id_: str, bus: Any = js, *, answers: bool = True) -> Gateway:
            gateway = Gateway(bus, id_, Credentials(psk_credential()))
            if answers:
                await gateway.handover.start()
                stack.push_async_callback(gateway.handover.stop)
            return gateway

        yield new


def connected(gateway: Gateway) -> WireClient:
    client = gateway.wire.client(cid=b"")
    client.handshake()
    return client


async def say(client: WireClient, gateway: Gateway, data: bytes) -> bytes:
    """Send data there; the record, when what it led to is done."""
    record = client.seal(23, data)
    gateway.wire.give(record, client.address)
    await gateway.settled()
    return record


async def again(record: bytes, client: WireClient, gateway: Gateway) -> None:
    gateway.wire.give(record, client.address)
    await gateway.settled()


async def test_a_record_is_taken_at_one_gateway_only_however_soon_it_is_brought_to_another(
    new_gateway: NewGateway,
) -> None:
    first, second = await new_gateway("gw-1"), await new_gateway("gw-2")
    client = connected(first)
    early = [await say(client, first, data) for data in (b"1", b"2")]
    for record in early:
        await again(record, client, second)
    assert second.heard() == []
    assert len(first.associations) == 1, "who brings old records takes no session away"
    late = await say(client, second, b"3")
    for record in (*early, late):
        await again(record, client, first)
    assert (first.heard(), second.heard()) == ([b"1", b"2"], [b"3"])
    await say(client, first, b"4")
    await again(early[0], client, second)
    assert (first.heard(), second.heard()) == ([b"1", b"2", b"4"], [b"3"])
    assert (len(first.associations), len(second.associations)) == (1, 0)


async def test_where_the_holder_is_away_one_of_two_gateways_takes_the_record(new_gateway: NewGateway) -> None:
    away = await new_gateway("gw-1", answers=False)
    client = connected(away)
    await say(client, away, b"1")
    await away.store.flush()
    others = [await new_gateway("gw-2"), await new_gateway("gw-3")]
    record = client.seal(23, b"2")
    for gateway in others:
        gateway.wire.give(record, client.address)
    await asyncio.gather(*(gateway.settled() for gateway in others))
    assert sorted(gateway.heard() for gateway in others) == [[], [b"2"]]
    assert sum(len(gateway.associations) for gateway in others) == 1


@pytest.mark.parametrize("moment", ["its first entry", "a later one"])
async def test_after_a_lost_answer_of_nats_a_session_goes_on_and_no_number_comes_twice(
    js: JetStreamContext, new_gateway: NewGateway, moment: str
) -> None:
    bus = BadBus(js)
    gateway = await new_gateway("gw-1", cast("JetStreamContext", bus))
    bus.is_losing = moment == "its first entry"
    client = connected(gateway)
    await say(client, gateway, b"1")
    bus.is_losing = True
    await gateway.store.flush()
    bus.is_losing = False
    (association,) = gateway.associations
    session = association.session
    for _ in range(4 * session_store.RESERVED):
        association.send(b"x")
        if session.next_write >= session.write_limit:
            await gateway.store.flush()
            await gateway.settled()
    assert not association.ended
    records = gateway.wire.sent[client.address]
    numbers = [client.open(record) and client.server_numbers[-1] for record in records]
    assert len(numbers) > 2 * session_store.RESERVED
    assert len(numbers) == len(set(numbers))
    taken_up = await new_gateway("gw-1", answers=False)
    assert await taken_up.store.load() == 1
    assert taken_up.associations[0].session.next_write >= session.next_write


async def test_what_comes_while_a_session_is_being_kept_is_kept_next(
    js: JetStreamContext, new_gateway: NewGateway
) -> None:
    bus = BadBus(js)
    gateway = await new_gateway("gw-1", cast("JetStreamContext", bus))
    client = connected(gateway)
    bus.answers.clear()
    gateway.wire.give(client.seal(23, b"1"), client.address)
    await until(lambda: bus.published, what="its first entry")
    gateway.wire.give(client.seal(23, b"2"), client.address)
    await gateway.store.flush()
    bus.answers.set()
    await gateway.settled()
    await gateway.store.flush()
    other = await new_gateway("gw-1", answers=False)
    await other.store.load()
    assert other.associations[0].session.window.newest == gateway.associations[0].session.window.newest
