"""A stream in its order, from any sequence on: a pull consumer that nothing has to be acknowledged to."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from datetime import datetime

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import NotFoundError

from flownexus_runtime.stream_message import Message

HEARTBEAT_S = 5.0
EXPIRES_S = 30.0
MAX_BYTES = 32 << 20
"""The most bytes of messages that one request brings, so that a burst of large ones does not fill the memory."""

_NS = 1_000_000_000
_STATUS, _UNFILLED = "Status", "Nats-Pending-Messages"
_HEARTBEAT = "100"
_ENDED = frozenset({"404", "408"})
_ENDED_BY_SIZE = frozenset({"Batch Completed", "Message Size Exceeds MaxBytes"})
"""A request with `max_bytes` ends with 409 and one of these; any other 409 is the end of the consumer."""

_NO_HEADERS: dict[str, str] = {}


class ReaderLost(Exception):
    """The consumer is gone or a message was missed: read on from what is written."""


class StreamReader:
    """Use it as a context manager; `batch` gives what has come.

    JetStream keeps no position for it: a gap in the consumer's own sequence, a reconnect or silence in place of
    heartbeats ends it with ReaderLost, and the next reader starts where its owner is.

    `after` None: what is in the stream already comes as the last message of each subject only, or all of it that was
    kept from `since` on. `subjects`: only those that one of these filters matches.
    """

    def __init__(
        self,
        client: Client,
        js: JetStreamContext,
        stream: str,
        *,
        after: int | None,
        size: int,
        subjects: tuple[str, ...] = (),
        since: datetime | None = None,
    ) -> None:
        self._client, self._js, self._stream = client, js, stream
        self._after, self._size, self._subjects, self._since = after, size, subjects, since
        self._buffer: deque[Message] = deque()
        self._arrived = asyncio.Event()
        self._lost: str | None = None
        self._consumer_sequence = 0
        self._asked = 0
        self._reconnects = client.stats["reconnects"]
        self._consumer = ""
        self.pending_at_start = 0
        """How many messages were there to read when it began."""
        self._inbox = client.new_inbox()
        self._subscription: Subscription | None = None

    async def __aenter__(self) -> StreamReader:
        config = ConsumerConfig(
            deliver_policy=self._start(),
            opt_start_seq=None if self._after is None else self._after + 1,
            opt_start_time=self._since if self._after is None else None,
            # JetStream takes the last message of each subject only with a filter.
            filter_subjects=list(self._subjects or ((">",) if self._after is None else ())) or None,
            ack_policy=AckPolicy.NONE,
            mem_storage=True,
            num_replicas=1,
            inactive_threshold=2 * EXPIRES_S,
        )
        info = await self._js.add_consumer(self._stream, config)
        self._consumer, self.pending_at_start = info.name, info.num_pending or 0
        self._subscription = await self._client.subscribe(
            self._inbox, cb=self._take, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        await self._ask()
        return self

    def _start(self) -> DeliverPolicy:
        if self._after is not None:
            return DeliverPolicy.BY_START_SEQUENCE
        return DeliverPolicy.LAST_PER_SUBJECT if self._since is None else DeliverPolicy.BY_START_TIME

    async def __aexit__(self, *_: object) -> None:
        if self._client.is_connected:
            if self._subscription is not None:
                await self._subscription.unsubscribe()
            try:
                await self._js.delete_consumer(self._stream, self._consumer)
            except (NotFoundError, TimeoutError):
                return  # JetStream drops it by itself once it is idle

    async def batch(self) -> list[Message]:
        """The next 1 to `size` messages; waits for the first, not for more. Raises ReaderLost."""
        silent = 0
        while not self._buffer:
            if self._lost is None and self._client.stats["reconnects"] != self._reconnects:
                self._lost = "reconnected"
            if self._lost is not None:
                raise ReaderLost(self._lost)
            self._arrived.clear()
            try:
                async with asyncio.timeout(HEARTBEAT_S):
                    await self._arrived.wait()
                silent = 0
            except TimeoutError:
                silent += 1
                if silent > 2 and self._client.is_connected:
                    self._lost = "silent"
            await self._ask()
        taken = [self._buffer.popleft() for _ in range(min(self._size, len(self._buffer)))]
        await self._ask()
        return taken

    async def _ask(self) -> None:
        """Have up to two batches on their way or here."""
        room = 2 * self._size - self._asked - len(self._buffer)
        if self._lost is not None or (room < self._size and self._asked):
            return
        if room <= 0:
            return
        self._asked += room
        request = {
            "batch": room,
            "max_bytes": MAX_BYTES,
            "expires": int(EXPIRES_S * _NS),
            "idle_heartbeat": int(HEARTBEAT_S * _NS),
        }
        await self._client.publish(
            f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._consumer}", json.dumps(request).encode(), self._inbox
        )

    async def _take(self, msg: Msg) -> None:
        headers = msg.headers
        if headers is not None and _STATUS in headers and not msg.reply:
            self._take_status(headers)
        elif self._lost is None:
            metadata = msg.metadata
            self._consumer_sequence += 1
            if metadata.sequence.consumer != self._consumer_sequence:
                self._lost = f"message {self._consumer_sequence} of the consumer was missed"
            else:
                self._asked -= 1
                self._buffer.append(
                    Message(
                        metadata.sequence.stream, msg.subject, msg.data, headers or _NO_HEADERS, metadata.num_pending
                    )
                )
        self._arrived.set()

    def _take_status(self, headers: dict[str, str]) -> None:
        status = headers[_STATUS].split(" ", 1)[0]
        if status == _HEARTBEAT:
            return
        if status in _ENDED or headers.get("Description") in _ENDED_BY_SIZE:
            self._asked -= min(self._asked, int(headers.get(_UNFILLED, 0)))
        else:
            self._lost = f"status {headers[_STATUS]} {headers.get('Description', '')}".strip()
