"""An authenticated device, as a peer: its session, who it is, and where its newest record came from. Sans-IO."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Hashable

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.authentication import Identity
from flownexus_gateway.transport.dtls.records import ContentType
from flownexus_gateway.transport.dtls.session import Session
from flownexus_gateway.transport.peer import Peer

LOW = 128
"""So few numbers of records left, more are wanted."""

MAX_WAITING = 8
"""Datagrams that wait for numbers, as the first answers after a restart do; or, of those that came, for the session."""

OnLow = Callable[["Association"], None]


class Association(Peer):
    """Equal to itself alone: where its address changes, it stays the same peer. `heard_at` in Unix seconds.

    `is_leaving`: another gateway is about to have it, so what comes meanwhile is `postponed`.
    """

    __slots__ = (
        "authenticated",
        "ended",
        "heard_at",
        "id",
        "is_leaving",
        "is_moved",
        "numbers_came",
        "on_low",
        "path",
        "postponed",
        "revision",
        "session",
        "waiting",
    )

    def __init__(self, session: Session, authenticated: Identity, path: Peer, now: float) -> None:
        super().__init__(path.socket_address, path.local, path.transmit)
        self.session, self.authenticated, self.path = session, authenticated, path
        self.heard_at = now
        self.ended = self.is_leaving = self.is_moved = False
        self.postponed: list[Callable[[], None]] = []
        self.id, self.revision = "", 0
        self.on_low: OnLow = _nothing
        self.waiting: list[bytes] = []
        self.numbers_came: asyncio.Event | None = None

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other if isinstance(other, Association) else NotImplemented

    @property
    def scheme(self) -> str:
        return "coaps"

    @property
    def identity(self) -> str:
        return self.authenticated.name

    @property
    def endpoint(self) -> str:
        return self.authenticated.endpoint

    @property
    def is_reachable(self) -> bool:
        return not self.ended

    @property
    def is_elsewhere(self) -> bool:
        return self.is_moved

    @property
    def blockwise_key(self) -> Hashable:
        return self

    async def ready(self) -> None:
        """After a restart there are no numbers yet, and there will be none if another gateway has the session."""
        if not self.ended and self.session.next_write >= self.session.write_limit:
            self.numbers_came = self.numbers_came or asyncio.Event()
            self.on_low(self)
            await self.numbers_came.wait()

    def settle(self) -> None:
        """There are numbers, or it ended: who waits for either goes on."""
        if self.numbers_came is not None:
            self.numbers_came.set()
            self.numbers_came = None

    def move(self, path: Peer) -> None:
        """Its newest record came from there."""
        self.path, self.socket_address, self.local = path, path.socket_address, path.local

    def send(self, data: bytes) -> None:
        """Send one datagram; it is lost where there is no session any more, or the device takes none so large."""
        session = self.session
        if self.ended or len(data) > session.keys.max_plain_bytes:
            metrics.UNSENT_RECORDS.inc()
            return
        record = session.seal(ContentType.APPLICATION_DATA, data)
        if record is not None:
            self.path.send(record)
        elif len(self.waiting) < MAX_WAITING:
            self.waiting.append(data)
        else:
            metrics.UNSENT_RECORDS.inc()
        if session.write_limit - session.next_write < LOW:
            self.on_low(self)

    def postpone(self, receive: Callable[[], None]) -> None:
        """Take a datagram later, by `receive`, here or where the session is then."""
        if len(self.postponed) < MAX_WAITING:
            self.postponed.append(receive)

    def send_waiting(self) -> None:
        """Send what waited for numbers."""
        self.settle()
        waiting, self.waiting = self.waiting, []
        for data in waiting:
            self.send(data)

    def alert(self, level: int, description: int) -> None:
        """Send an alert. RFC 5246, 7.2."""
        record = self.session.alert(level, description)
        if record is not None:
            self.path.send(record)


def _nothing(_: Association) -> None:
    """There are numbers enough."""
