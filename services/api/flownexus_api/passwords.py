"""Passwords: argon2id hashes in PHC string form. RFC 9106, 4, second recommended option (64 MiB)."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flownexus_schemas.errors import InvalidRequest

MIN_LENGTH = 8
MAX_LENGTH = 1024

_hasher = PasswordHasher()


def generate() -> str:
    """A new password of 96 random bits, 16 characters."""
    return secrets.token_urlsafe(12)


def hash_password(password: str) -> str:
    """The hash to keep. Raises InvalidRequest for a password under 8 or over 1,024 characters."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        raise InvalidRequest(f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters.")
    return _hasher.hash(password)


def verify(password_hash: str | None, password: str) -> bool:
    """Whether the password is right. Takes as long without a hash (an unknown user) as with one. Blocks for some 50 ms.

    False as well for a hash that cannot be read.
    """
    if len(password) > MAX_LENGTH:
        return False
    try:
        _hasher.verify(password_hash or _decoy(), password)
    except (VerificationError, InvalidHashError):
        return False
    return password_hash is not None


@cache
def _decoy() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
