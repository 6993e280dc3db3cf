"""Messages of a stream as they come, in order and without gaps, over losses of the connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from typing import NamedTuple

import nats.errors
import structlog
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.client import JetStreamContext as _Context
from nats.js.errors import APIError, FetchTimeoutError, NotFoundError

from flownexus_api.bus import Bus
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.subjects import Stream

log = structlog.get_logger(__name__)

WAIT_S = 2.0
"""Seconds to wait for a message before the caller gets a word."""

HEARTBEAT_S = 0.5
MOST_AT_ONCE = 100
FORGET_AFTER_S = 30.0
"""Seconds after which JetStream drops the consumer of somebody who left without a word."""


class Followed(NamedTuple):
    """One message: its sequence in the stream, the last token of its subject, its payload."""

    sequence: int
    last_token: str
    payload: bytes


class _Lost(Exception):
    """The consumer is gone or has lost a message: make another after the last one delivered."""


async def start_position(bus: Bus, after: int | None, stream: Stream = Stream.EVENTS) -> int:
    """The sequence after which to start: `after` where given and in the stream, else the last. Raises Unavailable."""
    try:
        last = (await bus.jetstream().stream_info(stream)).state.last_seq
    except (nats.errors.Error, TimeoutError) as error:
        raise Unavailable(f"The stream {stream} is away; try again shortly.") from error
    # A stream made anew counts from one again.
    return last if after is None else min(after, last)


async def follow(
    bus: Bus, filters: Sequence[str], after: int, stream: Stream = Stream.EVENTS
) -> AsyncGenerator[Followed | None, None]:
    """The messages after this sequence whose subject matches a filter, for ever; None each 2 s in which there is none.

    Reads only as fast as it is read from: at most 100 messages are on their way.
    """
    position = after
    while True:
        try:
            async with contextlib.aclosing(_consume(bus, filters, position, stream)) as messages:
                async for followed in messages:
                    if followed is not None:
                        position = followed.sequence
                    yield followed
        except (_Lost, Unavailable, APIError, nats.errors.Error, TimeoutError) as error:
            log.info("stream.resumed", after=position, reason=repr(error))
            yield None
            await asyncio.sleep(HEARTBEAT_S)


async def _consume(
    bus: Bus, filters: Sequence[str], after: int, stream: Stream
) -> AsyncGenerator[Followed | None, None]:
    js = bus.jetstream()
    reconnects = bus.reconnects
    config = ConsumerConfig(
        description="A live stream of the API",
        filter_subjects=list(filters),
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        ack_policy=AckPolicy.NONE,
        mem_storage=True,
        num_replicas=1,
        inactive_threshold=FORGET_AFTER_S,
    )
    consumer = (await js.add_consumer(stream, config)).name
    subscription = await js.pull_subscribe_bind(consumer=consumer, stream=stream)
    expected = 1
    try:
        while True:
            messages = await _fetch(subscription)
            for message in messages:
                sequence = message.metadata.sequence
                if sequence.consumer != expected:
                    raise _Lost(f"message {expected} of the consumer")
                expected += 1
                yield Followed(sequence.stream, message.subject.rpartition(".")[2], message.data)
            if bus.reconnects != reconnects:
                raise _Lost("the connection")
            if not messages:
                yield None
    finally:
        # A client that goes away cancels us; what we opened is closed all the same.
        await asyncio.shield(asyncio.create_task(_leave(js, subscription, stream, consumer, bus)))


async def _fetch(subscription: _Context.PullSubscription) -> list[Msg]:
    """The next messages: waits for the first, takes those that are there already. Raises _Lost."""
    try:
        messages = await subscription.fetch(1, timeout=WAIT_S, heartbeat=HEARTBEAT_S)
    except FetchTimeoutError:
        return []
    except TimeoutError as error:
        # Not even a heartbeat.
        raise _Lost("the consumer") from error
    pending = messages[-1].metadata.num_pending
    if pending:
        messages += await subscription.fetch(min(pending, MOST_AT_ONCE), timeout=WAIT_S)
    return messages


async def _leave(
    js: JetStreamContext, subscription: _Context.PullSubscription, stream: Stream, consumer: str, bus: Bus
) -> None:
    if not bus.is_connected:
        return
    try:
        await subscription.unsubscribe()
        await js.delete_consumer(stream, consumer)
    except (nats.errors.Error, NotFoundError, TimeoutError):
        log.debug("stream.consumer_left", consumer=consumer)
