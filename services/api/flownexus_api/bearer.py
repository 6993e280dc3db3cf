"""Bearer tokens: 256 random bits behind a prefix that says what they are; only their hash is kept. RFC 6750.

Their entropy is what a slow hash would add to a password, so SHA-256 is enough.
"""

from __future__ import annotations

import hashlib
import secrets

SESSION = "fns_"
API_TOKEN = "fnt_"  # noqa: S105 - a prefix, not a secret
ID_BYTES = 8


def new_token(prefix: str) -> str:
    """A token that nobody can guess."""
    return prefix + secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def new_id() -> str:
    """A name for a session or a token that says nothing about it."""
    return secrets.token_hex(ID_BYTES)
