"""A device's socket, and the misfortunes of its way: loss and duplicates, both ways, from a seed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import cast


@dataclass(frozen=True, slots=True)
class Impairment:
    """Shares of datagrams, each way, 0 to 1."""

    loss: float = 0.0
    duplicates: float = 0.0

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
            self._receive(data)

    def error_received(self, exc: Exception) -> None:
        """Nobody listens there now; the device's own retransmission deals with it."""

    def send(self, datagram: bytes) -> None:
        """Send a datagram to the server."""
        if self._transport is None or self._transport.is_closing():
            return
        for _ in range(self._impairment.copies(self._random)):
            self._transport.sendto(datagram)

    def close(self) -> None:
        """Close the socket."""
        if self._transport is not None:
            self._transport.close()
