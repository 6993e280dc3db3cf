"""The sockets for devices: one of plain CoAP, one of CoAPS, or both; and those of the bootstrap server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from flownexus_gateway.transport.peer import AbsentPeer, Peer
from flownexus_gateway.transport.udp_socket import UdpSocket, bind
from flownexus_schemas.registrations import StoredRegistration

FindSession = Callable[[str], Peer | None]
"""The DTLS session of an endpoint, if there is one."""


class Sockets:
    """At least one of the two is there. `find_session` is to be set where `secure` is."""

    def __init__(self, plain: UdpSocket | None, secure: UdpSocket | None) -> None:
        self.plain, self.secure = plain, secure
        self.find_session: FindSession = _no_session

    @classmethod
    def bind(cls, plain: tuple[str, int] | None, secure: tuple[str, int] | None) -> Sockets:
        """Each at its host and port. Raises OSError: port in use, address not ours."""
        with contextlib.ExitStack() as undo:
            first = None if plain is None else undo.enter_context(contextlib.closing(bind(*plain)))
            second = None if secure is None else undo.enter_context(contextlib.closing(bind(*secure)))
            undo.pop_all()
        return cls(None if first is None else UdpSocket(first), None if second is None else UdpSocket(second))

    @property
    def ports(self) -> dict[str, int]:
        """By scheme."""
        both = {"coap": self.plain, "coaps": self.secure}
        return {scheme: udp.port for scheme, udp in both.items() if udp is not None}

    def local_host(self, peer: Peer) -> str:
        """The address of this machine under which the peer reaches it. Raises Unavailable: there is no way there."""
        udp = self.secure if peer.scheme == "coaps" else self.plain
        udp = udp or self.plain or self.secure
        assert udp is not None
        return udp.local_host(peer)

    def peer_of(self, stored: StoredRegistration) -> Peer:
        """Where the device of a stored registration is asked: at its address, or in its DTLS session."""
        address, identity = stored.registration.address, stored.registration.identity
        if identity is None and self.plain is not None:
            return self.plain.peer(address.host, address.port)
        session = None if identity is None else self.find_session(stored.endpoint)
        endpoint = None if identity is None else stored.endpoint
        return session or AbsentPeer(address.host, address.port, identity, endpoint)

    def stop_reading(self) -> None:
        """Read no more; answers can still be sent."""
        for udp in (self.plain, self.secure):
            if udp is not None:
                udp.stop_reading()

    def close(self) -> None:
        for udp in (self.plain, self.secure):
            if udp is not None:
                udp.close()


def _no_session(_: str) -> None:
    return None
