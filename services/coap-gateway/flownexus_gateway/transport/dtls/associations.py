"""The associations of a socket: found by connection id or address, ended by the device, by us, or by too many.

Sans-IO.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import structlog

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.authentication import Authentication
from flownexus_gateway.transport.dtls.handshakes import Done
from flownexus_gateway.transport.dtls.limits import MAX_ASSOCIATIONS_OF_A_DEVICE
from flownexus_gateway.transport.dtls.records import ContentType, Record
from flownexus_gateway.transport.dtls.session import (
    ACCESS_DENIED,
    CLOSE_NOTIFY,
    FATAL,
    NO_RENEGOTIATION,
    WARNING,
    Opened,
)
from flownexus_gateway.transport.peer import Peer, SocketAddress

log = structlog.get_logger(__name__)

Deliver = Callable[[bytes, Association], None]
"""Takes what a device sent."""

Told = Callable[[Association], None]

_CLIENT_HELLO = b"\x01"


class Associations:
    """A device may have several: the one that was heard least lately gives way to one too many."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication
        self._by_address: dict[SocketAddress, Association] = {}
        self._by_cid: dict[bytes, Association] = {}
        self._by_endpoint: dict[str, list[Association]] = {}
        self._count = 0
        self.on_begun: Told = _nothing
        self.on_heard: Told = _nothing
        self.on_low: Told = _nothing
        self.on_ended: Told = _nothing
        self.on_standing: Told = _nothing

    def __iter__(self) -> Iterator[Association]:
        return iter([one for several in self._by_endpoint.values() for one in several])

    def __len__(self) -> int:
        return self._count

    def of_address(self, address: SocketAddress) -> Association | None:
        return self._by_address.get(address)

    def of_cid(self, cid: bytes) -> Association | None:
        return self._by_cid.get(cid)

    def of_endpoint(self, endpoint: str) -> Association | None:
        """The one of this device that was heard last."""
        return max(self._by_endpoint.get(endpoint, ()), key=lambda one: one.heard_at, default=None)

    def add(self, done: Done, now: float) -> Association:
        """A device that has shown its key. Another one without a connection id that was at its address is gone."""
        session, identity, path = done.session, done.identity, done.path
        association = Association(session, identity, path, now)
        cid = session.keys.read_cid
        self._put(association)
        self.on_begun(association)
        self.on_standing(association)
        log.info("dtls.established", peer=repr(path), who=identity.name, endpoint=identity.endpoint,
                 connection_id=bool(cid))  # fmt: skip
        return association

    def restore(self, association: Association, now: float) -> Association | None:
        """One that was kept; None where its credential counts no more, or its device has another one at its place."""
        cid = association.session.keys.read_cid
        is_taken = cid in self._by_cid if cid else association.socket_address in self._by_address
        if is_taken:
            return None
        if self._authentication.standing(association.authenticated, now) is not None:
            self.on_ended(association)
            return None
        self._put(association)
        return association

    def _put(self, association: Association) -> None:
        association.on_low = self.on_low
        cid = association.session.keys.read_cid
        if cid:
            self._by_cid[cid] = association
        else:
            former = self._by_address.get(association.socket_address)
            if former is not None:
                self.end(former, "replaced")
            self._by_address[association.socket_address] = association
        others = self._by_endpoint.setdefault(association.endpoint, [])
        others.append(association)
        self._count += 1
        metrics.ASSOCIATIONS.inc()
        while len(others) > MAX_ASSOCIATIONS_OF_A_DEVICE:
            self.end(min(others, key=lambda one: one.heard_at), "replaced")

    def open(self, association: Association, records: Iterable[Record], path: Peer, now: float) -> list[Opened]:
        """What is in the records of an association; it is where the newest of them came from."""
        all_opened: list[Opened] = []
        for record in records:
            opened = association.session.open(record)
            if opened is None:
                metrics.DISCARDED_RECORDS.labels("not-authentic").inc()
                continue
            all_opened.append(opened)
            association.heard_at = now
            if opened.is_newest:
                association.move(path)
        if all_opened:
            self.on_heard(association)
        return all_opened

    def handle(self, association: Association, all_opened: Iterable[Opened], deliver: Deliver) -> None:
        """Hand on data; do what alerts say."""
        for opened in all_opened:
            if association.ended:
                return
            match opened.type:
                case ContentType.APPLICATION_DATA if opened.content:
                    deliver(opened.content, association)
                case ContentType.ALERT if len(opened.content) == 2:
                    self._alert(association, *opened.content)
                case ContentType.HANDSHAKE if opened.content[:1] == _CLIENT_HELLO:
                    association.alert(WARNING, NO_RENEGOTIATION)

    def ends_at(self, association: Association) -> float:
        """When its credential ends by itself, Unix seconds; infinite where it does not."""
        return self._authentication.ends_at(association.authenticated)

    def recheck(self, now: float) -> float:
        """End those whose credentials do not count any more, and tell of the others: when the next of them ends."""
        next_end = math.inf
        for association in self:
            refusal = self._authentication.standing(association.authenticated, now)
            if refusal is not None:
                metrics.REFUSED_DEVICES.labels(refusal).inc()
                log.warning("dtls.refused", peer=repr(association), reason=str(refusal),
                            who=association.authenticated.name)  # fmt: skip
                association.alert(FATAL, ACCESS_DENIED)
                self.end(association, str(refusal))
            else:
                next_end = min(next_end, self.ends_at(association))
                self.on_standing(association)
        return next_end

    def end(self, association: Association, reason: str, *, is_gone: bool = True) -> None:
        """Nothing comes from it and nothing goes to it any more; `is_gone`: nor anywhere else."""
        if association.ended:
            return
        association.ended = True
        association.is_moved = not is_gone
        association.settle()
        if is_gone:
            self.on_ended(association)
        identity = association.authenticated
        others = self._by_endpoint[identity.endpoint]
        others.remove(association)
        self._count -= 1
        metrics.ASSOCIATIONS.dec()
        if not others:
            del self._by_endpoint[identity.endpoint]
        self._by_cid.pop(association.session.keys.read_cid, None)
        if self._by_address.get(association.socket_address) is association:
            del self._by_address[association.socket_address]
        log.info("dtls.ended", peer=repr(association), who=identity.name, reason=reason)

    def _alert(self, association: Association, level: int, description: int) -> None:
        if description == CLOSE_NOTIFY:
            # It may listen no more; the answer is what the specification asks for. RFC 5246, 7.2.1.
            association.alert(WARNING, CLOSE_NOTIFY)
            self.end(association, "closed by the device")
        elif level == FATAL:
            self.end(association, f"alert {description} of the device")


def _nothing(_: Association) -> None:
    """Nobody keeps associations."""
