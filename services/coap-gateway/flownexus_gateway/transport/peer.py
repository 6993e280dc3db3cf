"""Where a datagram came from and the local address it came to, as aiocoap's EndpointAddress."""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable

from aiocoap.interfaces import EndpointAddress

SocketAddress = tuple[str, int] | tuple[str, int, int, int]

MAPPED_PREFIX = "::ffff:"
_LINK_LOCAL = ("fe8", "fe9", "fea", "feb")


class Peer(EndpointAddress):
    """A remote address and port. Equal and hashed by these alone; the local address only chooses the source of
    answers on a machine with several.
    """

    __slots__ = ("_hash", "local", "socket_address", "transmit")

    scheme = "coap"
    is_multicast = False
    is_multicast_locally = False
    maximum_block_size_exp = 6

    def __init__(
        self,
        socket_address: SocketAddress,
        local: bytes | None,
        transmit: Callable[[bytes, Peer], None],
    ) -> None:
        self.socket_address = socket_address
        self.local = local
        self.transmit = transmit
        self._hash = hash(socket_address)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Peer) and other.socket_address == self.socket_address

    def __repr__(self) -> str:
        return self.hostinfo

    def send(self, data: bytes) -> None:
        """Send one datagram there; it is lost where the system will not take it."""
        self.transmit(data, self)

    @property
    def host(self) -> str:
        """The address as people write it: IPv4 without its IPv6 prefix, a link-local one with its scope."""
        host = self.socket_address[0]
        if host.startswith(MAPPED_PREFIX) and "." in host:
            return host[len(MAPPED_PREFIX) :]
        if len(self.socket_address) == 4 and self.socket_address[3] and "%" not in host:
            return f"{host}%{self.socket_address[3]}"
        return host

    @property
    def port(self) -> int:
        return self.socket_address[1]

    @property
    def hostinfo(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def hostinfo_local(self) -> str:
        return "localhost"

    @property
    def uri_base(self) -> str:
        return f"{self.scheme}://{self.hostinfo}"

    @property
    def uri_base_local(self) -> str:
        return f"{self.scheme}://{self.hostinfo_local}"

    @property
    def blockwise_key(self) -> Hashable:
        return self.socket_address


class MovedPeer(Peer):
    """A peer under the address that it had when it was asked: equal to that one, but what is sent goes where it is
    now.
    """

    __slots__ = ("now",)

    def __init__(self, asked: Peer, now: Peer) -> None:
        super().__init__(asked.socket_address, now.local, lambda data, _: now.send(data))
        self.now = now


def socket_address_of(host: str, port: int, family: int) -> SocketAddress:
    """The socket address of a stored host and port, in the family of our socket."""
    if family == socket.AF_INET:
        return (host, port)
    bare, _, scope = host.partition("%")
    if ":" not in bare:
        return (f"{MAPPED_PREFIX}{bare}", port, 0, 0)
    return (bare, port, 0, int(scope) if scope.isdecimal() else 0)


def is_link_local(host: str) -> bool:
    return host.lower().startswith(_LINK_LOCAL)
