"""A device's sockets, and the misfortunes of its way: loss, duplicates and latency, both ways, and a NAT."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import cast

MAX_DATAGRAM_BYTES = 65_535
OPEN_PORTS = 8
"""So many of the last ports of a device still lead to it."""


@dataclass(frozen=True, slots=True)
class Impairment:
    """Shares of datagrams, each way, 0 to 1. `rebinding`: each datagram of the device comes from another port, as from
    behind a NAT whose bindings end at once. `latency_s`: of each datagram, each way, as of narrow-band networks.
    """

    loss: float = 0.0
    duplicates: float = 0.0
    rebinding: bool = False
    latency_s: float = 0.0

    def copies(self, random: Random) -> int:
        """How often the next datagram arrives: 0, 1 or 2 times."""
        if self.loss and random.random() < self.loss:
            return 0
        return 2 if self.duplicates and random.random() < self.duplicates else 1


class Link(asyncio.DatagramProtocol):
    """One UDP socket, connected to the server."""

    def __init__(self, impairment: Impairment, random: Random, receive: Callable[[bytes], None]) -> None:
        self._impairment = impairment
        self._random = random
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None
        self._ports: deque[socket.socket] = deque()

    def itself(self) -> Link:
        """The factory that asyncio asks for."""
        return self

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there."""
        # uvloop's transport has the methods of asyncio.DatagramTransport without being one.
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str | object, int]) -> None:  # noqa: ARG002 (asyncio's own)
        """A datagram of the server."""
        for _ in range(self._impairment.copies(self._random)):
            self._after_latency(self._receive, data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there now; the device's own retransmission deals with it."""

    def send(self, datagram: bytes, stays: bool = False) -> None:
        """Send a datagram to the server; `stays`: from its own port, whatever happens to others."""
        for _ in range(self._impairment.copies(self._random)):
            self._after_latency(partial(self._send_now, stays=stays), datagram)

    def close(self) -> None:
        """Close the sockets."""
        while self._ports:
            self._forget(self._ports.popleft())
        if self._transport is not None:
            self._transport.close()

    def _after_latency(self, pass_on: Callable[[bytes], None], datagram: bytes) -> None:
        if self._impairment.latency_s:
            asyncio.get_running_loop().call_later(self._impairment.latency_s, pass_on, datagram)
        else:
            pass_on(datagram)

    def _send_now(self, datagram: bytes, *, stays: bool) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if self._impairment.rebinding and not stays:
            self._send_from_another_port(self._transport, datagram)
        else:
            self._transport.sendto(datagram)

    def _send_from_another_port(self, transport: asyncio.DatagramTransport, datagram: bytes) -> None:
        """What comes back to one of the last ports is received."""
        server = transport.get_extra_info("peername")
        port = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
        port.setblocking(False)
        port.connect(server)
        asyncio.get_running_loop().add_reader(port, self._readable, port)
        self._ports.append(port)
        if len(self._ports) > OPEN_PORTS:
            self._forget(self._ports.popleft())
        with contextlib.suppress(OSError):
            port.send(datagram)

    def _readable(self, port: socket.socket) -> None:
        try:
            data = port.recv(MAX_DATAGRAM_BYTES)
        except OSError as error:
            self.error_received(error)
        else:
            self.datagram_received(data, ("", 0))

    def _forget(self, port: socket.socket) -> None:
        asyncio.get_running_loop().remove_reader(port)
        port.close()
