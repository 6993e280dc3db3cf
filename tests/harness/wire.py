"""A UDP relay between one device and its gateway that writes down every datagram: what was on the wire.

Needs no rights of the machine, as a capture of its interfaces would.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from types import TracebackType
from typing import NamedTuple

_MAX_DATAGRAM = 65535


class Captured(NamedTuple):
    """One datagram. Unix seconds."""

    time: float
    from_device: bool
    data: bytes


class Wire:
    """Listens on `port` of 127.0.0.1 while it is open, and passes on to `server`, a port there, and back."""

    def __init__(self, server: int) -> None:
        self._front, self._back = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for sock in (self._front, self._back):
            sock.bind(("127.0.0.1", 0))
        self._server = ("127.0.0.1", server)
        self.port: int = self._front.getsockname()[1]
        self._device: tuple[str, int] | None = None
        self._captured: list[Captured] = []
        self._closing, self._closed = socket.socketpair()
        self._thread = threading.Thread(target=self._run, name="wire", daemon=True)

    def __enter__(self) -> Wire:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()
        self._thread.join()
        for sock in (self._front, self._back, self._closed):
            sock.close()

    def to_device(self, since: float = 0.0) -> list[bytes]:
        """What the gateway sent to the device, from a moment on."""
        return [one.data for one in list(self._captured) if not one.from_device and one.time >= since]

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for sock in (self._front, self._back, self._closed):
                selector.register(sock, selectors.EVENT_READ)
            while True:
                ready = {key.fileobj for key, _ in selector.select()}
                if self._closed in ready:
                    return
                for sock in (self._front, self._back):
                    if sock in ready:
                        self._pass_on(sock)

    def _pass_on(self, sock: socket.socket) -> None:
        try:
            data, sender = sock.recvfrom(_MAX_DATAGRAM)
        except OSError:
            return  # a gateway that is not there: the datagram before is lost, as on any network
        from_device = sock is self._front
        self._captured.append(Captured(time.time(), from_device, data))
        if from_device:
            self._device = sender
            self._back.sendto(data, self._server)
        elif self._device is not None:
            self._front.sendto(data, self._device)
