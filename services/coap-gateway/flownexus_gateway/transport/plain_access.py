"""From which networks plain CoAP is taken: from all, from some, or from none."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from flownexus_gateway import metrics
from flownexus_gateway.transport.peer import Peer

OPEN, CLOSED = "open", "closed"

Receive = Callable[[bytes, Peer], None]


class PlainAccess:
    """`open`, `closed`, or networks joined by commas: `10.0.0.0/8,2001:db8::/32`. Raises ValueError."""

    def __init__(self, text: str) -> None:
        self.is_closed = text == CLOSED
        self._networks: tuple[IPv4Network | IPv6Network, ...] | None = None
        if text not in {OPEN, CLOSED}:
            self._networks = tuple(_network(one.strip()) for one in text.split(","))
        self.takes = lru_cache(maxsize=65536)(self._takes)

    def guarded(self, receive: Receive) -> Receive:
        """`receive` for those that may come; the others get no answer."""
        if self._networks is None:
            return receive

        def only_some(datagram: bytes, peer: Peer) -> None:
            if self.takes(peer.host):
                receive(datagram, peer)
            else:
                metrics.KEPT_OUT.inc()

        return only_some

    def _takes(self, host: str) -> bool:
        if self._networks is None:
            return not self.is_closed
        address = ip_address(host.partition("%")[0])
        return any(address in network for network in self._networks)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(f"give open, closed, or networks such as 10.0.0.0/8,2001:db8::/32 ({error})") from error
