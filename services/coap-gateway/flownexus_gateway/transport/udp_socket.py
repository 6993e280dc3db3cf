"""The UDP socket: dual stack, a large receive buffer, answers from the address that was asked."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address

import structlog

from flownexus_gateway import metrics
from flownexus_gateway.transport.peer import Peer, SocketAddress, is_link_local, socket_address_of
from flownexus_schemas.errors import Unavailable

log = structlog.get_logger(__name__)

RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""Asked of the system, which may give less (net.core.rmem_max): room for a burst while the loop is busy."""

GATHER_S = 0.003
"""While datagrams come, the socket is looked at once in this time: a loop that wakes up for each of them alone works
twice as much a datagram, and so do NATS and whatever else is written to."""

_MAX_DATAGRAM = 65535
_PER_WAKE_UP = 128
_ANCILLARY_BYTES = 128

Receive = Callable[[bytes, Peer], None]


def bind(host: str, port: int) -> socket.socket:
    """A bound, non-blocking socket. `::` takes IPv4 too, and falls back to `0.0.0.0` on a machine without IPv6.

    Raises OSError: port in use, address not ours.
    """
    try:
        return _bind(host, port)
    except OSError as error:
        if host == "::" and error.errno in {errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL}:
            return _bind("0.0.0.0", port)  # noqa: S104 - the IPv4 half of the address asked for
        raise OSError(error.errno, f"UDP address {host} port {port}: {error.strerror or error}") from error


def _bind(host: str, port: int) -> socket.socket:
    family, _, _, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE | socket.AI_NUMERICSERV
    )[0]
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            if host == "::":
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        sock.bind(address)
    except OSError:
        sock.close()
        raise
    return sock


class UdpSocket:
    """Reads datagrams on the loop and hands each to `receive`; sends at once or not at all."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._receive: Receive | None = None
        self._gathering: asyncio.TimerHandle | None = None

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def start(self, receive: Receive) -> None:
        """Begin to read. What came before is dropped: it may be hours old, and who is still there sends it again."""
        self._drop_waiting()
        self._receive = receive
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def stop_reading(self) -> None:
        """Read no more; answers can still be sent."""
        if self._receive is None:
            return
        self._receive = None
        if self._gathering is None:
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        else:
            self._gathering.cancel()
            self._gathering = None

    def close(self) -> None:
        self.stop_reading()
        self._socket.close()

    def peer(self, host: str, port: int) -> Peer:
        """The peer at a stored address."""
        return Peer(socket_address_of(host, port, self._socket.family), None, self.send)

    def local_host(self, peer: Peer) -> str:
        """The address of this machine under which the peer reaches it: the one that it sent to, or else the one that
        the system would send from. Raises Unavailable: there is no way there.
        """
        if peer.local is not None:
            return str(_unmapped(ip_address(peer.local[:16])))
        bound = self._socket.getsockname()[0]
        if not ip_address(bound.partition("%")[0]).is_unspecified:
            return str(_unmapped(ip_address(bound.partition("%")[0])))
        family = socket.AF_INET6 if ":" in peer.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            try:
                sock.connect(socket_address_of(peer.host, peer.port, family))
            except OSError as error:
                raise Unavailable(f"there is no way to {peer!r} now: {error.strerror or error}") from error
            return str(_unmapped(ip_address(sock.getsockname()[0].partition("%")[0])))

    def _drop_waiting(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)

    def _readable(self) -> None:
        """Something came after a silence."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._gather()

    def _gather(self) -> None:
        """Read what is there, and look again soon; where nothing came, wait for the system to tell."""
        loop = asyncio.get_running_loop()
        taken = self._take()
        if self._receive is None:  # ended by what was received
            return
        if taken:
            self._gathering = loop.call_later(0 if taken == _PER_WAKE_UP else GATHER_S, self._gather)
        else:
            self._gathering = None
            loop.add_reader(self._socket.fileno(), self._readable)

    def _take(self) -> int:
        """Hand on what is there, at most so much that the loop gets to other work too; how many there were."""
        for number in range(_PER_WAKE_UP):
            try:
                data, ancillary, _, address = self._socket.recvmsg(_MAX_DATAGRAM, _ANCILLARY_BYTES)
            except (BlockingIOError, InterruptedError):
                return number
            except OSError as error:
                # An ICMP error of an earlier send; the socket itself is well.
                log.debug("udp.receive_error", error=str(error))
                continue
            if self._receive is None:
                return number
            local = ancillary[0][2] if ancillary else None
            peer = Peer(_plain(address), local, self.send)
            try:
                self._receive(data, peer)
            except Exception:
                # One datagram, whatever is in it, must not end the reading of all that come after it.
                metrics.FAILED_DATAGRAMS.inc()
                log.exception("datagram.failed", peer=repr(peer), size=len(data))
        return _PER_WAKE_UP

    def send(self, data: bytes, peer: Peer) -> None:
        """Send one datagram. What the system refuses is counted and lost, as on the wire: CoAP retransmits."""
        try:
            if peer.local is not None:
                with contextlib.suppress(OSError):
                    self._socket.sendmsg([data], [_source(peer)], 0, peer.socket_address)
                    metrics.DATAGRAMS_OUT.inc()
                    return
            self._socket.sendto(data, peer.socket_address)
            metrics.DATAGRAMS_OUT.inc()
        except OSError as error:
            metrics.UNSENT_DATAGRAMS.inc()
            log.debug("udp.send_error", peer=repr(peer), error=str(error))


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    return getattr(address, "ipv4_mapped", None) or address


def _plain(address: SocketAddress) -> SocketAddress:
    # The flow label differs between datagrams of one peer.
    return address if len(address) == 2 else (address[0], address[1], 0, address[3])


def _source(peer: Peer) -> tuple[int, int, bytes]:
    assert peer.local is not None
    # in6_pktinfo: the address, then the interface, which only a link-local address needs.
    local = peer.local if is_link_local(peer.socket_address[0]) else peer.local[:16] + bytes(len(peer.local) - 16)
    return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, local
