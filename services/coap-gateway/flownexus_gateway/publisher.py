"""Events to JetStream: published without waiting, each with a callback at its PubAck.

nats-py's own `publish_async` makes a task an event and never gives one up; here an event is one entry of a table, its
number is bounded, and each has a deadline. Order is kept.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import orjson
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError

from flownexus_gateway import metrics
from flownexus_schemas.cloudevent import CloudEvent
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.events import subject_of

log = structlog.get_logger(__name__)

MAX_PENDING = 8192
"""Events without a PubAck. Past that a message is not acknowledged and its device sends it again."""

DEADLINE_S = 10.0

RETRY_S = 2.0
ATTEMPTS = 30
"""For what no device sends again: a minute of NATS being away."""

_SWEEP_S = 0.5
_DRAIN_STEP_S = 0.02

Kept = Callable[[bool], None]
"""Told True once JetStream has the event, False once it is given up."""


class _Pending(NamedTuple):
    message_id: str
    published_at: float
    kept: list[Kept]


class Publisher:
    """One connection's outgoing events. `start` before the first publication, `drain` before the last."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._inbox = client.new_inbox()
        self._sequence = 0
        self._pending: dict[str, _Pending] = {}
        self._by_id: dict[str, _Pending] = {}
        self._outgoing: deque[tuple[str, bytes, str, str]] = deque()
        self._wake = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._reconnects = 0

    @property
    def is_connected(self) -> bool:
        return self._client.is_connected

    @property
    def is_full(self) -> bool:
        """Whether the next event would not be taken although NATS is there: it is slower than the devices."""
        return self.is_connected and len(self._pending) >= MAX_PENDING

    @property
    def pending(self) -> int:
        return len(self._pending)

    async def start(self) -> None:
        """Listen for PubAcks and begin to send."""
        await self._client.subscribe(f"{self._inbox}.*", cb=self._acknowledged)
        self._tasks = [asyncio.create_task(self._send()), asyncio.create_task(self._sweep())]

    async def drain(self, timeout_s: float) -> None:
        """Wait until every event has its PubAck, or `timeout_s`; then stop."""
        for _ in range(int(timeout_s / _DRAIN_STEP_S)):
            if not self._pending or not self.is_connected:
                break
            await asyncio.sleep(_DRAIN_STEP_S)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._give_up(list(self._pending))

    def publish(self, subject: str, payload: bytes, message_id: str, kept: Kept) -> None:
        """Publish and call `kept` later, or at once with False where NATS is away or too much is pending.

        While an event of the same id is on its way, that one counts for both.
        """
        if (under_way := self._by_id.get(message_id)) is not None:
            under_way.kept.append(kept)
            return
        if not self._client.is_connected or len(self._pending) >= MAX_PENDING:
            kept(False)
            return
        self._sequence += 1
        reply = f"{self._inbox}.{self._sequence}"
        self._pending[reply] = self._by_id[message_id] = _Pending(message_id, time.monotonic(), [kept])
        self._outgoing.append((subject, payload, message_id, reply))
        self._wake.set()

    def publish_event(self, event: CloudEvent, kept: Kept) -> None:
        """`publish` for an event."""
        self.publish(subject_of(event), event.model_dump_json().encode(), event.id, kept)

    async def keep(self, event: CloudEvent) -> None:
        """Publish an event and wait for its PubAck. Raises Unavailable."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.publish_event(event, partial(_settle, answer))
        if not await answer:
            raise Unavailable("JetStream did not take the event")

    async def _send(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._outgoing:
                subject, payload, message_id, reply = self._outgoing.popleft()
                try:
                    await self._client.publish(subject, payload, reply=reply, headers={"Nats-Msg-Id": message_id})
                except NatsError as error:
                    log.warning("publisher.not_sent", subject=subject, error=repr(error))
                    self._give_up([reply])

    async def _acknowledged(self, message: Msg) -> None:
        pending = self._pending.pop(message.subject, None)
        if pending is None:
            return
        del self._by_id[pending.message_id]
        metrics.PUBLISH_SECONDS.observe(time.monotonic() - pending.published_at)
        reason = _refusal(message)
        if reason is not None:
            log.error("publisher.refused", event_id=pending.message_id, reason=reason)
        for kept in pending.kept:
            kept(reason is None)

    async def _sweep(self) -> None:
        """Give up what is too old, and all that was on a connection that is gone."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            reconnects = self._client.stats["reconnects"]
            if not self._client.is_connected or reconnects != self._reconnects:
                # What was published after the reconnection may be among these: it is published again, with its id.
                self._reconnects = reconnects
                self._give_up(list(self._pending))
                continue
            oldest = time.monotonic() - DEADLINE_S
            self._give_up([reply for reply, pending in self._pending.items() if pending.published_at < oldest])
            metrics.PENDING_PUBLISHES.set(len(self._pending))

    def _give_up(self, replies: list[str]) -> None:
        for reply in replies:
            pending = self._pending.pop(reply, None)
            if pending is None:
                continue
            del self._by_id[pending.message_id]
            for kept in pending.kept:
                kept(False)


async def until_kept(publish: Callable[[Kept], object], attempts: int | None = ATTEMPTS) -> None:
    """Publish again and again until it is kept, without end where `attempts` is None. Raises Unavailable after them."""
    for _ in itertools.count() if attempts is None else range(attempts):
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        publish(partial(_settle, answer))
        if await answer:
            return
        await asyncio.sleep(RETRY_S)
    raise Unavailable("JetStream did not take the event")


def _settle(future: asyncio.Future[bool], result: bool) -> None:
    if not future.done():
        future.set_result(result)


def _refusal(message: Msg) -> str | None:
    if message.headers and message.headers.get("Status"):
        return f"no stream answers: {message.headers['Status']}"
    answer = orjson.loads(message.data)
    return str(answer["error"].get("description", answer["error"])) if "error" in answer else None
