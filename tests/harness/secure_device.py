"""The lock-step device over DTLS, with a key of its own."""

from __future__ import annotations

import socket

from harness.dtls_client import CCM_8, DtlsClient
from harness.lockstep import Heard, LockstepDevice, Silence, parse

KEY = bytes(range(16))


class SecureDevice(LockstepDevice):
    """`identity` is the endpoint's name where none is given. Call `connect` first; `dtls` is what it speaks through."""

    def __init__(
        self,
        port: int,
        endpoint: str,
        *,
        identity: str | None = None,
        key: bytes = KEY,
        suite: int = CCM_8,
        cid: bytes | None = None,
    ) -> None:
        super().__init__(port, endpoint)
        self._identity, self._key, self._suite, self._cid = identity or endpoint, key, suite, cid
        self.dtls = self._client()

    def connect(self, timeout_s: float = 10) -> SecureDevice:
        """Make a handshake. Raises Alerted, NoHandshake."""
        self.dtls.handshake(timeout_s)
        return self

    def reconnect(self, *, same_port: bool = False) -> None:
        """A session of its own, from another port unless told otherwise; the one before is forgotten."""
        if not same_port:
            self.move()
        self.dtls = self._client()
        self.connect()

    def send(self, data: bytes) -> None:
        self.dtls.send(data)

    def receive(self, timeout_s: float | None = None) -> Heard:
        data = self.dtls.receive(self.timeout_s if timeout_s is None else timeout_s)
        if data is None:
            raise Silence("the server sent nothing")
        return parse(data)

    def _client(self) -> DtlsClient:
        return DtlsClient(self.transmit, self._datagram, self._identity.encode(), self._key, self._suite, self._cid)

    def transmit(self, datagram: bytes) -> None:
        """A datagram as it is."""
        self._socket.sendto(datagram, self.server)

    def _datagram(self, timeout_s: float) -> bytes | None:
        self._socket.settimeout(max(timeout_s, 0.001))
        try:
            return self._socket.recv(65535)
        except (TimeoutError, ConnectionRefusedError):
            return None


def nothing_comes(sock: socket.socket, timeout_s: float) -> bool:
    """Whether a socket hears nothing for so long."""
    sock.settimeout(timeout_s)
    try:
        sock.recv(65535)
    except TimeoutError:
        return True
    return False
