"""An authenticated device, as a peer: its session, who it is, and where its newest record came from. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.authentication import Identity
from flownexus_gateway.transport.dtls.records import ContentType
from flownexus_gateway.transport.dtls.session import Session
from flownexus_gateway.transport.peer import Peer

LOW = 128
"""So few numbers of records left, more are wanted."""

MAX_WAITING = 8
"""Datagrams that wait for numbers; after a restart the first answers do."""

OnLow = Callable[["Association"], None]


class Association(Peer):
    """Equal to itself alone: where its address changes, it stays the same peer. `heard_at` in Unix seconds.

    `is_leaving`: another gateway is about to have it, so nothing that comes is taken any more.
    """

    __slots__ = (
        "authenticated",
        "ended",
        "heard_at",
        "id",
        "is_leaving",
        "on_low",
        "path",
        "revision",
        "session",
        "waiting",
    )

    def __init__(self, session: Session, authenticated: Identity, path: Peer, now: float) -> None:
        super().__init__(path.socket_address, path.local, path.transmit)
        self.session, self.authenticated, self.path = session, authenticated, path
        self.heard_at = now
        self.ended = self.is_leaving = False
        self.id, self.revision = "", 0
        self.on_low: OnLow = _nothing
        self.waiting: list[bytes] = []

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
    def blockwise_key(self) -> Hashable:
        return self

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

    def send_waiting(self) -> None:
        """Send what waited for numbers."""
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
