"""Passwords: argon2id hashes in PHC string form. RFC 9106, 4, second recommended option (64 MiB)."""

from __future__ import annotations

import secrets
from functools import cache

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from flownexus_schemas.errors import InvalidRequest

MAX_LENGTH = 1024

# Spelled out, so that an upgrade of the library does not change them unseen. The least of OWASP's Password Storage
# Cheat Sheet is 19 MiB and two passes.
_hasher = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=4, hash_len=32, salt_len=16)


def generate() -> str:
    """A new password of 96 random bits, 16 characters."""
    return secrets.token_urlsafe(12)


def hash_password(password: str) -> str:
    """The hash to keep. Blocks for some 50 ms. Raises InvalidRequest for a password over 1,024 characters."""
    if len(password) > MAX_LENGTH:
        raise InvalidRequest(f"A password has at most {MAX_LENGTH} characters.")
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


def is_outdated(password_hash: str) -> bool:
    """Whether a hash was made with other parameters than those of today."""
    return _hasher.check_needs_rehash(password_hash)


@cache
def _decoy() -> str:
    return _hasher.hash(secrets.token_urlsafe(32))
