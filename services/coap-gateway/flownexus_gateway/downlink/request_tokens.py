"""Tokens of requests to devices: which gateway asked can be told from them, by any gateway that an answer comes to."""

from __future__ import annotations

import hashlib
import secrets

TOKEN_BYTES = 8
MARK_BYTES = 2


def mark_of(gateway_id: str) -> bytes:
    """What the tokens of this gateway's requests begin with."""
    return hashlib.sha256(gateway_id.encode()).digest()[:MARK_BYTES]


class RequestTokens:
    """Of one gateway. 48 bits of each are random: an answer cannot be forged by guessing. RFC 7252, 5.3.1 and 11.4."""

    def __init__(self, gateway_id: str) -> None:
        self.mark = mark_of(gateway_id)

    def new(self) -> bytes:
        return self.mark + secrets.token_bytes(TOKEN_BYTES - MARK_BYTES)
