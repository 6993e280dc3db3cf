"""What is asked of credentials over REST, checked as far as that needs no knowledge of those that there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, model_validator

from flownexus_api.periods import Moment
from flownexus_schemas.credentials import (
    MAX_IDENTITY_BYTES,
    MAX_KEY_BYTES,
    MIN_KEY_BYTES,
    EndpointName,
    Identity,
    Subject,
    pre_shared_key,
)


def _hex(key: SecretStr) -> SecretStr:
    pre_shared_key(key.get_secret_value())
    return key


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time is before the year 10000") from None


HexKey = Annotated[
    SecretStr,
    AfterValidator(_hex),
    Field(
        description=f"{MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in hexadecimal digits; without it one is made.",
        examples=["000102030405060708090a0b0c0d0e0f"],
    ),
]
Time = Annotated[Moment, AfterValidator(_in_utc)]
NotBefore = Annotated[Time | None, Field(description="It does not count before; null: it counts at once.")]
ExpiresAt = Annotated[Time | None, Field(description="It does not count from then on; null: no end.")]


class _New(BaseModel):
    model_config = ConfigDict(extra="forbid")

    endpoint: EndpointName = Field(
        description="The one endpoint name that a device may use with it.", examples=["urn:imei:123456789012345"]
    )
    not_before: NotBefore = None
    expires_at: ExpiresAt = None

    @model_validator(mode="after")
    def _begins_before_it_ends(self) -> _New:
        if self.not_before is not None and self.expires_at is not None and self.not_before >= self.expires_at:
            raise ValueError("it would end before it counts: expires_at is later than not_before")
        return self


class NewPskCredential(_New):
    """A pre-shared key."""

    type: Literal["psk"]
    identity: Identity | None = Field(default=None, description="That of the endpoint's own name unless it is given.")
    key: HexKey | None = None

    @property
    def shown_identity(self) -> str:
        """What the device shows."""
        return self.endpoint if self.identity is None else self.identity

    @model_validator(mode="after")
    def _has_an_identity(self) -> NewPskCredential:
        if self.identity is None and (len(self.endpoint.encode()) > MAX_IDENTITY_BYTES or "\0" in self.endpoint):
            raise ValueError(f"the endpoint's name is no PSK identity ({MAX_IDENTITY_BYTES} bytes, no NUL): name one")
        return self


class NewX509Credential(_New):
    """A certificate, by what names it."""

    type: Literal["x509"]
    subject: Subject
    revoked: bool = Field(
        default=False,
        description="Made revoked: certificates of this subject are refused, whatever else names them. With a "
        "fingerprint one certificate of several with the same name is.",
    )


NewCredential = Annotated[NewPskCredential | NewX509Credential, Field(discriminator="type")]


class Rotation(BaseModel):
    """The next credential of a device, and until when the former one counts beside it."""

    model_config = ConfigDict(extra="forbid")

    identity: Identity | None = Field(default=None, description="Of a key: that of the former one unless it is given.")
    key: HexKey | None = None
    subject: Subject | None = Field(default=None, description="Of a certificate, and another one than the former.")
    expires_at: ExpiresAt = None
    until: Time | None = Field(default=None, description="The former one ends then at the latest.")
    until_used: bool = Field(
        default=True, description="The former one ends as soon as a device has authenticated by the next."
    )

    @model_validator(mode="after")
    def _ends_some_time(self) -> Rotation:
        if self.until is None and not self.until_used:
            raise ValueError("say until when the former one counts: a time, or until_used")
        return self
