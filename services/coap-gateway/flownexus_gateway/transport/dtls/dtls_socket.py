"""DTLS beside CoAP's plain socket: a UDP socket, and the server behind it."""

from __future__ import annotations

import asyncio
import time

from flownexus_gateway.transport.dtls.dtls_server import DtlsServer
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.transport.udp_socket import UdpSocket

INTERVAL_S = 0.2
"""Handshakes are looked after so often."""


class DtlsSocket:
    """Reads datagrams for a DTLS server while it runs."""

    def __init__(self, udp: UdpSocket, server: DtlsServer) -> None:
        self._udp, self._server = udp, server

    @property
    def port(self) -> int:
        return self._udp.port

    def start(self) -> None:
        """Begin to read."""
        self._udp.start(self._receive)

    def stop_reading(self) -> None:
        """Read no more; answers can still be sent."""
        self._udp.stop_reading()

    async def run(self) -> None:
        """Look after what is under way, for ever."""
        while True:
            await asyncio.sleep(INTERVAL_S)
            self._server.look_after(time.time())

    def _receive(self, datagram: bytes, path: Peer) -> None:
        self._server.receive(datagram, path, time.time())
