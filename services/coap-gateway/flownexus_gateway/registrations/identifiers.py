"""Names made from what a device sent, so that the same datagram gives the same names again after a crash."""

from __future__ import annotations

import base64
import hashlib


def digest(*parts: str | int | bytes) -> str:
    """32 hexadecimal digits of all parts, each with its length."""
    pieces: list[bytes] = []
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        pieces += (len(raw).to_bytes(4, "big"), raw)
    return hashlib.blake2b(b"".join(pieces), digest_size=16).hexdigest()


def registration_id(fingerprint: str, generation: int) -> str:
    """12 letters and digits: Zephyr fails on 13. 60 bits, so nobody guesses the Location-Path of another."""
    raw = hashlib.blake2b(f"{fingerprint}/{generation}".encode(), digest_size=8).digest()
    return base64.b32encode(raw).decode().lower()[:12]
