"""The device with a Firmware Update object over DTLS: it fetches by coaps, in a session of its own."""

from __future__ import annotations

import contextlib
import socket

from harness.dtls_client import CCM_8, DtlsClient
from harness.firmware_device import FETCH_S, FirmwareDevice
from harness.lockstep import Heard
from harness.secure_device import KEY, SecureDevice


class SecureFirmwareDevice(FirmwareDevice, SecureDevice):
    """Its identity is its name."""

    def start(self) -> SecureFirmwareDevice:
        self.connect()
        super().start()
        return self

    def receive(self, timeout_s: float | None = None) -> Heard:
        with self._lock:  # another thread makes the handshake of a restart
            return super().receive(timeout_s)

    def move(self) -> None:
        super().move()
        self.dtls = self._client()
        self.connect()

    def _own_port(self, host: str, port: int) -> SecurePort:  # type: ignore[override]
        return SecurePort(host, port, self.endpoint)


class SecurePort:
    """A socket in a session. Raises NoHandshake, Alerted."""

    def __init__(self, host: str, port: int, identity: str) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.connect((host, port))
        self._dtls = DtlsClient(self._transmit, self._datagram, identity.encode(), KEY, CCM_8)
        self._dtls.handshake()

    def __enter__(self) -> SecurePort:
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._dtls.close()
        self._socket.close()

    def send(self, data: bytes, /) -> None:
        self._dtls.send(data)

    def recv(self, _size: int, /) -> bytes:
        data = self._dtls.receive(FETCH_S)
        if data is None:
            raise TimeoutError
        return data

    def _transmit(self, datagram: bytes) -> None:
        self._socket.send(datagram)

    def _datagram(self, timeout_s: float) -> bytes | None:
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            return self._socket.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None
