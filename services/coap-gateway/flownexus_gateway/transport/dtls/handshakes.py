"""Handshakes under way: begun after the cookie, bounded in number and time. Sans-IO. RFC 6347, 4.2."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from typing import NamedTuple

import structlog

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.authentication import Authentication, Identity
from flownexus_gateway.transport.dtls.client_hello import (
    ClientHello,
    Malformed,
    hello_verify_request,
    read_client_hello,
)
from flownexus_gateway.transport.dtls.cookies import LIFETIME_S, Cookies
from flownexus_gateway.transport.dtls.handshake import Handshake
from flownexus_gateway.transport.dtls.limits import HANDSHAKE_S, Places
from flownexus_gateway.transport.dtls.openssl_context import ServerContext
from flownexus_gateway.transport.dtls.records import Record
from flownexus_gateway.transport.dtls.refusals import Refusal, Refused
from flownexus_gateway.transport.dtls.session import Opened, Session
from flownexus_gateway.transport.peer import Peer, SocketAddress

log = structlog.get_logger(__name__)

CID_BYTES = 8
"""Of the connection ids that we want in records to us."""


class Contexts(NamedTuple):
    """OpenSSL's contexts: `with_connection_ids` is for clients that know them; None to use none."""

    plain: ServerContext
    with_connection_ids: ServerContext | None


class Begun:
    """A handshake, where its device began it and is now, and when its time is over."""

    __slots__ = ("began_at", "deadline", "handshake", "path")

    def __init__(self, handshake: Handshake, path: Peer, deadline: float) -> None:
        self.handshake, self.path, self.deadline = handshake, path, deadline
        self.began_at = path


class Done(NamedTuple):
    """What a handshake came to: the session, whose it is, where the device is, and what it sent first."""

    session: Session
    identity: Identity
    path: Peer
    opened: list[Opened]


class Handshakes:
    """Of one socket. `hello` takes a ClientHello, `go_on` everything else; `look_after` is to be called often."""

    def __init__(self, contexts: Contexts, authentication: Authentication, mtu: int, now: float) -> None:
        self._contexts, self._authentication, self._mtu = contexts, authentication, mtu
        self._cookies, self._places = Cookies(now), Places()
        self._by_address: dict[SocketAddress, Begun] = {}
        self._by_cid: dict[bytes, Begun] = {}
        self._done: dict[bytes, float] = {}

    def __len__(self) -> int:
        return len(self._by_address)

    def of_address(self, address: SocketAddress) -> Begun | None:
        return self._by_address.get(address)

    def of_cid(self, cid: bytes) -> Begun | None:
        return self._by_cid.get(cid)

    def hello(self, record: Record, path: Peer, now: float) -> None:
        """Answer with a cookie, or begin where that came back."""
        try:
            hello = read_client_hello(record)
        except Malformed:
            metrics.DISCARDED_RECORDS.labels("malformed").inc()
            return
        begun = self._by_address.get(path.socket_address)
        if begun is not None and begun.handshake.hello == hello:
            # Sent again, as our flight was lost.
            self.go_on(begun, [record], path, now)
            return
        address = repr(path.socket_address).encode()
        if not self._cookies.is_good(address, hello, now):
            metrics.HELLO_VERIFY_REQUESTS.inc()
            path.send(hello_verify_request(record, self._cookies.new(address, hello, now)))
            return
        if self._is_done(hello, now):
            return
        if begun is not None:
            self._forget(begun)
        if not self._places.take(path.host):
            _refused(Refused(Refusal.TOO_MANY, "a device that is not known yet"), path)
            return
        self._begin(record, hello, path, now)

    def _begin(self, record: Record, hello: ClientHello, path: Peer, now: float) -> None:
        context, cid = self._contexts.plain, b""
        if self._contexts.with_connection_ids is not None and hello.connection_id is not None:
            context, cid = self._contexts.with_connection_ids, secrets.token_bytes(CID_BYTES)
        handshake = Handshake(context, self._authentication, hello, cid, self._mtu)
        begun = Begun(handshake, path, now + HANDSHAKE_S)
        self._by_address[path.socket_address] = begun
        if cid:
            self._by_cid[cid] = begun
        metrics.HALF_OPEN.set(len(self))
        handshake.begin(record, now)
        self._settle(begun, now)

    def go_on(self, begun: Begun, records: Iterable[Record], path: Peer, now: float) -> Done | None:
        """Take records of a device; what its handshake came to, once it has sent data."""
        handshake = begun.handshake
        opened = handshake.receive(records, now)
        if opened:
            begun.path = path
        self._settle(begun, now)
        if not opened or handshake.failure is not None:
            return None
        assert handshake.session is not None
        assert handshake.identity is not None
        self._forget(begun)
        self._done[handshake.hello.random] = now
        by = "resumed" if handshake.is_resumed else handshake.identity.name.partition(":")[0]
        metrics.HANDSHAKES.labels(by).inc()
        return Done(handshake.session, handshake.identity, path, opened)

    def look_after(self, now: float) -> None:
        """Send flights again that got no answer; end what takes too long."""
        for begun in list(self._by_address.values()):
            handshake = begun.handshake
            timeout_s = handshake.timeout_s
            if now >= begun.deadline:
                handshake.failure = Refused(Refusal.TIMED_OUT, _who(handshake))
            elif timeout_s is not None and timeout_s <= 0:
                handshake.retransmit(now)
            self._settle(begun, now)

    def _settle(self, begun: Begun, now: float) -> None:
        """Send what the handshake has to send, and forget it where it failed."""
        handshake = begun.handshake
        if handshake.failure is None and handshake.session is not None and handshake.identity is not None:
            # Its credential may have been revoked meanwhile.
            refusal = self._authentication.standing(handshake.identity, now)
            if refusal is not None:
                handshake.failure = Refused(refusal, handshake.identity.name)
        for datagram in handshake.take():
            begun.path.send(datagram)
        if handshake.failure is not None:
            _refused(handshake.failure, begun.path)
            self._forget(begun)

    def _is_done(self, hello: ClientHello, now: float) -> bool:
        """Whether its handshake is done: then the network brought it twice, as no client makes a random twice."""
        while self._done and now - next(iter(self._done.values())) > 2 * LIFETIME_S:
            # Later its cookie is not good any more.
            del self._done[next(iter(self._done))]
        return hello.random in self._done

    def _forget(self, begun: Begun) -> None:
        del self._by_address[begun.began_at.socket_address]
        self._by_cid.pop(begun.handshake.read_cid, None)
        self._places.give_back(begun.began_at.host)
        metrics.HALF_OPEN.set(len(self))


def _who(handshake: Handshake) -> str:
    return handshake.identity.name if handshake.identity is not None else "a device that did not say who it is"


def _refused(refused: Refused, path: Peer) -> None:
    metrics.REFUSED_DEVICES.labels(refused.reason).inc()
    log.warning("dtls.refused", peer=repr(path), reason=str(refused.reason), who=refused.who)
