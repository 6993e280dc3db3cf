"""Secrets as they are kept in NATS: AES-256-GCM under a key that only the services which need them have."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from typing import Annotated

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from pydantic import Field, SecretStr

from flownexus_runtime.secret_strength import StrongSecrets
from flownexus_schemas.errors import FlowNexusError

_NONCE_BYTES = 12
_ID_CHARACTERS = 8


class NotOpened(FlowNexusError):
    """Sealed with another key, for something else, or changed since."""


CredentialsKey = Annotated[
    StrongSecrets,
    Field(
        description="Key under which credentials and sessions of devices are kept, >= 32 characters. Several joined by "
        "commas: the first one seals, all of them open."
    ),
]
"""Type of the setting FLOWNEXUS_CREDENTIALS_KEY."""


class Sealer:
    """Seals for one purpose, and opens what was sealed for it. A purpose has a key of its own (HKDF, RFC 5869)."""

    def __init__(self, keys: SecretStr, purpose: str) -> None:
        self._keys: dict[str, AESGCM] = {}
        for secret in keys.get_secret_value().split(","):
            key = HKDF(SHA256(), 32, salt=None, info=f"flownexus {purpose}".encode()).derive(secret.encode())
            self._keys[hashlib.sha256(key).hexdigest()[:_ID_CHARACTERS]] = AESGCM(key)
        self._first = next(iter(self._keys))

    def seal(self, plain: bytes, binding: bytes) -> str:
        """Text that opens only with the same `binding`, which is not part of it."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._keys[self._first].encrypt(nonce, plain, binding)
        return f"{self._first}.{base64.urlsafe_b64encode(sealed).decode()}"

    def open(self, sealed: str, binding: bytes) -> bytes:
        """The inverse. Raises NotOpened."""
        key_id, _, text = sealed.partition(".")
        key = self._keys.get(key_id)
        if key is None:
            raise NotOpened("it was sealed with another FLOWNEXUS_CREDENTIALS_KEY: add that one behind a comma")
        try:
            raw = base64.b64decode(text.encode(), b"-_", validate=True)
            return key.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], binding)
        except (binascii.Error, InvalidTag, ValueError) as error:
            raise NotOpened("it was changed since it was sealed, or belongs to something else") from error

    def is_current(self, sealed: str) -> bool:
        """Whether the first key sealed it, so that the others are not needed for it."""
        return sealed.partition(".")[0] == self._first


CREDENTIALS = "credentials"
"""Purpose of pre-shared keys."""

BOOTSTRAP = "bootstrap"
"""Purpose of the keys in what devices are given at a bootstrap."""
