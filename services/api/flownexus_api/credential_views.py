"""Credentials as the API shows them: never their keys, but once where one was made here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from flownexus_api.paging import Page
from flownexus_runtime.live_credentials import AnyCredential
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.credentials import CredentialState, PskCredential, X509Credential


class Credential(BaseModel):
    """What one device proves who it is with."""

    id: str
    endpoint: str
    type: Literal["psk", "x509"]
    identity: str | None = Field(description="Of a pre-shared key.")
    subject: str | None = Field(description="Of a certificate: `cn:`, `dns:`, `uri:` or `sha256:` and what names it.")
    state: CredentialState
    created_at: datetime
    not_before: datetime | None
    expires_at: datetime | None
    until_used: str | None = Field(description="The id of the next one: this one ends once that one was used.")
    revoked_at: datetime | None


class Credentials(Page[Credential]):
    """A page of credentials, by endpoint."""


class MadeCredential(Credential):
    """A credential that is new."""

    key: str | None = Field(description="Hexadecimal, and shown this once; null where it was given.")


class RotatedCredential(BaseModel):
    """The next credential of a device, and the former one as it is now."""

    made: MadeCredential
    former: Credential


def credential(kept: AnyCredential, now: float) -> Credential:
    """One as it is at `now`, Unix seconds."""
    return Credential(
        id=kept.id,
        endpoint=kept.endpoint,
        type=kept.type,
        identity=kept.identity if isinstance(kept, PskCredential) else None,
        subject=kept.subject if isinstance(kept, X509Credential) else None,
        state=kept.state(now),
        created_at=utc(kept.created_at),
        not_before=_utc(kept.not_before),
        expires_at=_utc(kept.expires_at),
        until_used=kept.until_used,
        revoked_at=_utc(kept.revoked_at),
    )


def made_credential(kept: AnyCredential, key: str | None, now: float) -> MadeCredential:
    """One that is new, with the key that was made for it."""
    return MadeCredential(**credential(kept, now).model_dump(), key=key)


def said_of(kept: AnyCredential) -> Mapping[str, object]:
    """What the audit has of a credential: no key, not even as it is sealed."""
    said = {"id", "type", "identity", "subject", "not_before", "expires_at"}
    return credential(kept, kept.created_at).model_dump(mode="json", include=said, exclude_none=True)


def _utc(moment: float | None) -> datetime | None:
    return None if moment is None else utc(moment)
