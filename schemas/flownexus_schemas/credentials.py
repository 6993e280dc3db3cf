"""What devices prove who they are with. KV bucket, one entry a credential, its id the key.

An endpoint may have several at the same time: to rotate one, store the next beside it and let the first expire. Who may
use a name is decided by the credential that authenticated, so two with the same identity, or that match the same
certificate, are told apart by the key, or by the exact certificate.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, TypeAdapter

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.subjects import MAX_ENDPOINT_BYTES, endpoint_token

MAX_IDENTITY_BYTES = 128
"""UTF-8 bytes of a PSK identity. RFC 4279, 5.3, has servers take at least so many."""

MIN_KEY_BYTES, MAX_KEY_BYTES = 16, 64
"""Of a pre-shared key. RFC 7925, 4.2: not below the strength of the cipher; RFC 4279, 5.3: 64 are always taken."""

SOON_DAYS = 30
"""Who is to renew something is told so long before it ends."""

LEAST_DISTINCT_BYTES = 5
"""Of a pre-shared key. Of 16 random bytes fewer are different once in 10^20 times; of those typed to try, often."""

SUBJECT_KINDS = ("cn", "dns", "uri", "sha256")
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")
_HEX = re.compile(r"[0-9a-fA-F]*")


class CredentialState(StrEnum):
    """How a credential stands at a moment."""

    PENDING = "pending"
    ACTIVE = "active"
    EXPIRED = "expired"
    REVOKED = "revoked"


def _identity(text: str) -> str:
    if not 0 < len(text.encode()) <= MAX_IDENTITY_BYTES or "\0" in text:
        raise ValueError(f"a PSK identity has 1 to {MAX_IDENTITY_BYTES} bytes of UTF-8 without NUL")
    return text


def _subject(text: str) -> str:
    """With its kind, which is `cn` where none is named."""
    kind, colon, rest = text.partition(":")
    if not colon or kind not in SUBJECT_KINDS:
        kind, rest = "cn", text
    if kind == "sha256":
        # Also as openssl prints it, in pairs.
        rest = rest.replace(":", "").lower()
        if not _FINGERPRINT.fullmatch(rest):
            raise ValueError("the fingerprint of a certificate has 64 hexadecimal digits")
    if not rest or "\0" in rest:
        raise ValueError("a subject is not empty and has no NUL")
    return f"{kind}:{rest.lower() if kind == 'dns' else rest}"


def _endpoint(name: str) -> str:
    endpoint_token(name)
    return name


Identity = Annotated[str, AfterValidator(_identity), Field(examples=["urn:imei:123456789012345"])]
Subject = Annotated[
    str,
    AfterValidator(_subject),
    Field(
        description="What names the certificate: `cn:` common name, `dns:` or `uri:` a subject alternative name, "
        "`sha256:` the fingerprint of this very certificate. Without a kind it is the common name.",
        examples=["cn:urn:imei:123456789012345", "sha256:" + 64 * "0"],
    ),
]
EndpointName = Annotated[str, AfterValidator(_endpoint), Field(max_length=MAX_ENDPOINT_BYTES)]
CredentialId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]


class Credential(Frozen):
    """What all kinds have. Times in Unix seconds; null for no limit.

    `until_used`: the id of the credential that follows it. Once a device has authenticated by that one, the gateway
    that saw it puts an end to this one.
    """

    id: CredentialId
    endpoint: EndpointName = Field(description="The one endpoint name that a device may use with it.")
    created_at: float
    not_before: float | None = None
    expires_at: float | None = None
    until_used: CredentialId | None = None
    revoked_at: float | None = None

    def state(self, now: float) -> CredentialState:
        """How it stands at `now`, Unix seconds. Revoked counts before expired, that before pending."""
        if self.revoked_at is not None and self.revoked_at <= now:
            return CredentialState.REVOKED
        if self.expires_at is not None and self.expires_at <= now:
            return CredentialState.EXPIRED
        if self.not_before is not None and self.not_before > now:
            return CredentialState.PENDING
        return CredentialState.ACTIVE


class PskCredential(Credential):
    """A pre-shared key, sealed: `flownexus_runtime.sealing`, for the purpose `credentials`, bound to `binding`."""

    type: Literal["psk"] = "psk"
    identity: Identity
    sealed_key: str
    issued_for: int | None = Field(default=None, description="Issued at a bootstrap, for the server of this short id.")
    used_at: float | None = Field(default=None, description="Of one that was issued: when a device first used it.")

    @property
    def binding(self) -> bytes:
        """What the sealed key belongs to: in another entry it does not open."""
        return key_binding(self.id, self.endpoint, self.identity)


class X509Credential(Credential):
    """A certificate of the CA that the gateway trusts, or this very one."""

    type: Literal["x509"] = "x509"
    subject: Subject


StoredCredential = Annotated[PskCredential | X509Credential, Field(discriminator="type")]
stored_credential: TypeAdapter[PskCredential | X509Credential] = TypeAdapter(StoredCredential)
"""Reads an entry of the bucket: `stored_credential.validate_json(value)`."""


def key_binding(credential_id: str, endpoint: str, identity: str) -> bytes:
    """The binding of the sealed key of a credential that is about to be made."""
    return "\0".join((credential_id, endpoint, identity)).encode()


def pre_shared_key(text: str) -> bytes:
    """A key written in hex, also in pairs with colons or spaces. Raises ValueError, whose words do not have it."""
    digits = text.replace(":", "").replace(" ", "")
    if not _HEX.fullmatch(digits):
        raise ValueError("a key is written in hexadecimal digits, two for each byte")
    if len(digits) % 2:
        raise ValueError(f"a key has two digits for each byte, and these are {len(digits)}")
    key = bytes.fromhex(digits)
    if not MIN_KEY_BYTES <= len(key) <= MAX_KEY_BYTES:
        raise ValueError(f"a key has {MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes, and this one {len(key)}")
    if len(set(key)) < LEAST_DISTINCT_BYTES:
        raise ValueError("a key of so few different bytes is easily guessed: leave it out, and one is made")
    return key
