"""Where a datagram came from and the local address it came to, as aiocoap's EndpointAddress."""

from __future__ import annotations

import socket
from collections.abc import Callable, Hashable

from aiocoap.interfaces import EndpointAddress

from flownexus_gateway import metrics
from flownexus_schemas.subjects import endpoint_token

SocketAddress = tuple[str, int] | tuple[str, int, int, int]

MAPPED_PREFIX = "::ffff:"
_LINK_LOCAL = ("fe8", "fe9", "fea", "feb")


class Peer(EndpointAddress):
    """A remote address and port. Equal and hashed by these alone; the local address only chooses the source of
    answers on a machine with several.
    """

    __slots__ = ("_hash", "local", "socket_address", "transmit")

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
    def scheme(self) -> str:
        return "coap"

    @property
    def identity(self) -> str | None:
        """What it showed, where DTLS authenticated it."""
        return None

    @property
    def endpoint(self) -> str | None:
        """The one endpoint name that it may use, where DTLS authenticated it."""
        return None

    @property
    def is_reachable(self) -> bool:
        """Whether something can be sent there."""
        return True

    @property
    def is_elsewhere(self) -> bool:
        """Whether another gateway can send there, so that its registration is about to be held by that one."""
        return False

    async def ready(self) -> None:
        """Wait until something can be sent there, or nothing can any more."""

    @property
    def origin(self) -> str:
        """Where answers to what it was asked may come from: any port of its host, as a NAT gives it another one between
        any two datagrams, or any session of the endpoint that DTLS authenticated.
        """
        return self.host if self.endpoint is None else f"{self.scheme}:{endpoint_token(self.endpoint)}"

    @property
    def registration_key(self) -> Hashable:
        """By which its registration is found where a message names none."""
        return self.socket_address if self.endpoint is None else self.origin

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
    """A peer as it was when it was asked: equal to that one, but what is sent goes where it is now."""

    __slots__ = ("asked", "now")

    def __init__(self, asked: Peer, now: Peer) -> None:
        super().__init__(asked.socket_address, now.local, lambda data, _: now.send(data))
        self.asked: Peer = asked.asked if isinstance(asked, MovedPeer) else asked
        self.now = now

    def __hash__(self) -> int:
        return hash(self.asked)

    def __eq__(self, other: object) -> bool:
        return self.asked == (other.asked if isinstance(other, MovedPeer) else other)

    @property
    def scheme(self) -> str:
        return self.asked.scheme

    @property
    def identity(self) -> str | None:
        return self.asked.identity

    @property
    def endpoint(self) -> str | None:
        return self.asked.endpoint

    @property
    def is_reachable(self) -> bool:
        return self.now.is_reachable

    @property
    def is_elsewhere(self) -> bool:
        return self.now.is_elsewhere

    async def ready(self) -> None:
        await self.now.ready()


class AbsentPeer(Peer):
    """A device that cannot be sent anything until it speaks again: its DTLS session is gone, or its port is closed."""

    __slots__ = ("_endpoint", "_identity")

    def __init__(self, host: str, port: int, identity: str | None, endpoint: str | None) -> None:
        super().__init__((host, port), None, lambda *_: metrics.UNSENT_RECORDS.inc())
        self._identity, self._endpoint = identity, endpoint

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other if isinstance(other, AbsentPeer) else NotImplemented

    @property
    def scheme(self) -> str:
        return "coap" if self._identity is None else "coaps"

    @property
    def identity(self) -> str | None:
        return self._identity

    @property
    def endpoint(self) -> str | None:
        return self._endpoint

    @property
    def is_reachable(self) -> bool:
        return False


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
