"""Names made from what a device sent, so that the same datagram gives the same names again after a crash."""

from __future__ import annotations

import base64
import hashlib


def digest(*parts: str | int | bytes) -> str:
    """32 hexadecimal digits of all parts, each with its length."""
    state = hashlib.blake2b(digest_size=16)
    for part in parts:
        raw = part if isinstance(part, bytes) else str(part).encode()
        state.update(len(raw).to_bytes(4, "big"))
        state.update(raw)
    return state.hexdigest()


def registration_id(fingerprint: str, generation: int) -> str:
    """12 letters and digits: Zephyr fails on 13. 60 bits, so nobody guesses the Location-Path of another."""
    raw = hashlib.blake2b(f"{fingerprint}/{generation}".encode(), digest_size=8).digest()
    return base64.b32encode(raw).decode().lower()[:12]
