"""OpenSSL as a DTLS client over memory: for certificates, and for sessions that are resumed."""

from __future__ import annotations

import time
from collections import deque

from OpenSSL import SSL

from harness.certificates import Issued
from harness.dtls_wire import Wire


class OpenSslClient:
    """At an address of its own on a wire. `failure` is what ended its handshake."""

    def __init__(
        self,
        wire: Wire,
        certificate: Issued | None = None,
        *,
        port: int = 41000,
        suites: str = "ECDHE-ECDSA-AES128-CCM8:@SECLEVEL=0",
        resumes: OpenSslClient | None = None,
    ) -> None:
        self.wire, self.address = wire, ("192.0.2.2", port)
        self.context: SSL.Context = _context(certificate, suites) if resumes is None else resumes.context
        self.connection = SSL.Connection(self.context, None)
        self.connection.set_connect_state()
        self.connection.set_ciphertext_mtu(1200)
        if resumes is not None:
            session = resumes.connection.get_session()
            assert session is not None
            self.connection.set_session(session)
        self.received: list[bytes] = []
        self.largest = 0

    def handshake(self) -> None:
        """Raises SSL.Error where the server refuses."""
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                self.connection.do_handshake()
            except SSL.WantReadError:
                self._exchange()
                continue
            self._exchange()
            return
        raise AssertionError("the handshake was not done in time")

    def say(self, data: bytes) -> None:
        self.connection.send(data)
        self._exchange()

    def hear(self) -> bytes:
        """What the server sent. SSL.WantReadError where there is nothing."""
        self._take()
        return self.connection.recv(65535)

    def _exchange(self) -> None:
        """Hand over what there is, both ways."""
        try:
            written = self.connection.bio_read(65535)
        except SSL.WantReadError:
            written = b""
        while written:
            size = 13 + int.from_bytes(written[11:13], "big")
            self.wire.give(written[:size], self.address)
            written = written[size:]
        self._take()

    def _take(self) -> None:
        waiting = self.wire.sent.setdefault(self.address, deque())
        while waiting:
            datagram = waiting.popleft()
            self.largest = max(self.largest, len(datagram))
            self.received.append(datagram)
            self.connection.bio_write(datagram)


def _context(certificate: Issued | None, suites: str) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_CLIENT_METHOD)
    context.set_options(SSL.OP_NO_QUERY_MTU)
    context.set_cipher_list(suites.encode())
    if certificate is not None:
        context.use_certificate(certificate.certificate)
        context.use_privatekey(certificate.key)
    return context
