"""Cookies: who sends a ClientHello must show that it receives at its address, before anything is kept. Sans-IO.

RFC 6347, 4.2.1.
"""

from __future__ import annotations

import hmac
import secrets

from flownexus_gateway.transport.dtls.client_hello import ClientHello

COOKIE_BYTES = 16
LIFETIME_S = 60.0
"""A cookie is good for one to two lifetimes: a device on a slow network has that long for its second ClientHello."""


class Cookies:
    """Made of a secret of this process that changes every LIFETIME_S; the one before it counts too."""

    def __init__(self, now: float) -> None:
        self._secrets = (secrets.token_bytes(32), secrets.token_bytes(32))
        self._changed_at = now

    def new(self, address: bytes, hello: ClientHello, now: float) -> bytes:
        """The cookie of a ClientHello that came from `address`."""
        self._rotate(now)
        return _cookie(self._secrets[0], address, hello)

    def is_good(self, address: bytes, hello: ClientHello, now: float) -> bool:
        """Whether the ClientHello has the cookie that it was answered with at this address, a short time ago."""
        self._rotate(now)
        return any(hmac.compare_digest(_cookie(secret, address, hello), hello.cookie) for secret in self._secrets)

    def _rotate(self, now: float) -> None:
        while now - self._changed_at >= LIFETIME_S:
            self._secrets = (secrets.token_bytes(32), self._secrets[0])
            self._changed_at = max(self._changed_at + LIFETIME_S, now - 2 * LIFETIME_S)


def _cookie(secret: bytes, address: bytes, hello: ClientHello) -> bytes:
    parts = (address, hello.parameters)
    return hmac.digest(secret, b"".join(len(part).to_bytes(2, "big") + part for part in parts), "sha256")[:COOKIE_BYTES]
