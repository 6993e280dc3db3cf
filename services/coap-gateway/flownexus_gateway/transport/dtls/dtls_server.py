"""A DTLS server: datagrams are opened, and what is in them is handed on as that of an association. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable

from flownexus_gateway import metrics
from flownexus_gateway.transport.dtls.association import Association
from flownexus_gateway.transport.dtls.associations import Associations, Deliver
from flownexus_gateway.transport.dtls.authentication import Authentication
from flownexus_gateway.transport.dtls.client_hello import is_client_hello
from flownexus_gateway.transport.dtls.handshakes import CID_BYTES, Begun, Contexts, Handshakes
from flownexus_gateway.transport.dtls.records import Record, cid_of, split
from flownexus_gateway.transport.peer import Peer

RECHECK_S = 30.0
"""Credentials are looked at again at least so often; at once where one changed or ends."""


LookUp = Callable[[Record, Callable[[], None]], None]
"""Looks elsewhere for the session of a record, by its connection id, and calls once it is there."""


class DtlsServer:
    """`receive` takes every datagram, `deliver` gets what devices sent. Times in Unix seconds."""

    def __init__(self, contexts: Contexts, authentication: Authentication, mtu: int, now: float) -> None:
        self.deliver: Deliver = _drop
        self.look_up: LookUp | None = None
        self.handshakes = Handshakes(contexts, authentication, mtu, now)
        self.associations = Associations(authentication)
        self._recheck_at = 0.0

    def receive(self, datagram: bytes, path: Peer, now: float) -> None:
        """Take a datagram that came from `path`."""
        records = list(split(datagram, CID_BYTES))
        if not records:
            metrics.DISCARDED_RECORDS.labels("malformed").inc()
            return
        first = records[0]
        if is_client_hello(first):
            self.handshakes.hello(first, path, now)
            return
        cid = cid_of(datagram, CID_BYTES)
        if cid is not None:
            association, begun = self.associations.of_cid(cid), self.handshakes.of_cid(cid)
        else:
            address = path.socket_address
            association, begun = self.associations.of_address(address), self.handshakes.of_address(address)
        if association is not None and association.is_leaving:
            association.postpone(lambda: self.receive(datagram, path, now))
            return
        if association is not None and first.epoch:
            opened = self.associations.open(association, records, path, now)
            self.associations.handle(association, opened, self.deliver)
            if opened:
                return
        if begun is not None:
            self._go_on(begun, records, path, now)
        elif association is None and cid is not None and self.look_up is not None:
            self.look_up(first, lambda: self.receive(datagram, path, now))
        elif association is None:
            metrics.DISCARDED_RECORDS.labels("unknown").inc()

    def credentials_changed(self) -> None:
        """End soon what does not count any more; many changes at a time are looked at once."""
        self._recheck_at = 0.0

    def look_after(self, now: float) -> None:
        """To be called often: flights are sent again, and what is over is ended."""
        self.handshakes.look_after(now)
        if now >= self._recheck_at:
            self._recheck_at = min(now + RECHECK_S, self.associations.recheck(now))

    def _go_on(self, begun: Begun, records: list[Record], path: Peer, now: float) -> None:
        done = self.handshakes.go_on(begun, records, path, now)
        if done is not None:
            association = self.associations.add(done, now)
            self._recheck_at = min(self._recheck_at, self.associations.ends_at(association))
            self.associations.handle(association, done.opened, self.deliver)


def _drop(_data: bytes, _association: Association) -> None:
    """Nobody takes data yet."""
