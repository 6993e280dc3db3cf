"""Cipher suites, and the keys that a master secret gives. Sans-IO.

All are AEAD with SHA-256: RFC 6655 and 7251 (CCM), RFC 5487 and 5289 (GCM). LwM2M Transport 1.1.1, 5.2.8.
"""

from __future__ import annotations

import hmac
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

KEY_BYTES, SALT_BYTES = 16, 4

Aead = AESCCM | AESGCM


class Suite(NamedTuple):
    """One suite: its number on the wire, its name in OpenSSL, the bytes of its authentication tag."""

    number: int
    name: str
    is_gcm: bool
    tag_bytes: int

    def aead(self, key: bytes) -> Aead:
        return AESGCM(key) if self.is_gcm else AESCCM(key, self.tag_bytes)


SUITES = {
    suite.number: suite
    for suite in (
        # In the order in which they are chosen. A client that offers PSK has a key, while many offer ECDSA without a
        # certificate. CCM_8 is what LwM2M asks of every client, and the shortest on the wire.
        Suite(0xC0A8, "PSK-AES128-CCM8", False, 8),
        Suite(0xC0A4, "PSK-AES128-CCM", False, 16),
        Suite(0x00A8, "PSK-AES128-GCM-SHA256", True, 16),
        Suite(0xC0AE, "ECDHE-ECDSA-AES128-CCM8", False, 8),
        Suite(0xC0AC, "ECDHE-ECDSA-AES128-CCM", False, 16),
        Suite(0xC02B, "ECDHE-ECDSA-AES128-GCM-SHA256", True, 16),
    )
}


class TrafficKeys(NamedTuple):
    """What protects the records of one direction. `salt`: the part of the nonce that is not sent."""

    key: bytes
    salt: bytes


def prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """P_SHA256. RFC 5246, 5."""
    seed = label + seed
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:length]


def traffic_keys(master_secret: bytes, client_random: bytes, server_random: bytes) -> tuple[TrafficKeys, TrafficKeys]:
    """Those of what the client writes, and of what the server writes. RFC 5246, 6.3."""
    block = prf(master_secret, b"key expansion", server_random + client_random, 2 * (KEY_BYTES + SALT_BYTES))
    keys, salts = block[: 2 * KEY_BYTES], block[2 * KEY_BYTES :]
    return (
        TrafficKeys(keys[:KEY_BYTES], salts[:SALT_BYTES]),
        TrafficKeys(keys[KEY_BYTES:], salts[SALT_BYTES:]),
    )
