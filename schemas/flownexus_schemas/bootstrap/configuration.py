"""What a device is given at its bootstrap: for one endpoint, or for all that a profile chooses. Two KV buckets.

BOOTSTRAP_CONFIGURATIONS has an entry an endpoint, key `subjects.endpoint_key`; BOOTSTRAP_PROFILES has the profiles by
their names. Keys in them are sealed: `flownexus_runtime.sealing`, for the purpose `bootstrap`. LwM2M Core 1.1.1, 6.1,
E.1, E.2.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Annotated, NamedTuple, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import PathText, PathValue
from flownexus_schemas.credentials import Identity
from flownexus_schemas.endpoint_tags import MAX_TAGS, Tag
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.profiles import EndpointPattern

MAX_SERVERS = 8
MAX_VALUES = 100
MAX_URI_BYTES = 255
"""UTF-8 bytes of a server's URI. LwM2M Core 1.1.1, E.1."""

SECURITY, SERVER = 0, 1
"""The objects of accounts at servers."""

NO_SHORT_SERVER_ID = 0
LAST_SHORT_SERVER_ID = 65534

_SECURE = {"coaps", "coaps+tcp"}
_SCHEMES = {"coap", "coap+tcp", *_SECURE}
_BINDING = re.compile(r"(?=.)(?!.*(.).*\1)[UTSNMHQ]+")


class Security(StrEnum):
    """How a device speaks to a server."""

    NONE = "none"
    PSK = "psk"
    X509 = "x509"


MODES: Mapping[Security, int] = {Security.PSK: 0, Security.X509: 2, Security.NONE: 3}
"""Values of 0/x/2. LwM2M Core 1.1.1, E.1."""


def _uri(text: str) -> str:
    if not 0 < len(text.encode()) <= MAX_URI_BYTES or not text.isprintable() or " " in text:
        raise ValueError(f"a server's URI has 1 to {MAX_URI_BYTES} bytes, and no spaces")
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{text[:80]!r} is no URI: {error}") from error
    if parts.scheme not in _SCHEMES or not parts.hostname or port == 0:
        raise ValueError("a server's URI is such as coaps://host:5684")
    return text


def _binding(text: str) -> str:
    if not _BINDING.fullmatch(text):
        raise ValueError("a binding is U, or of T, S, N, M, H, each once; with a Q for queue mode in LwM2M 1.0: UQ")
    return text


ServerUri = Annotated[str, AfterValidator(_uri), Field(examples=["coaps://192.0.2.1:5684"])]
InstanceId = Annotated[int, Field(ge=0, le=65534)]


class ServerAccount(Frozen):
    """An account at a server: an instance of object 0 and one of object 1.

    `psk` without an identity: at each bootstrap the device is issued a key of its own, for a server of ours.
    """

    uri: ServerUri
    short_server_id: int = Field(default=1, gt=NO_SHORT_SERVER_ID, le=LAST_SHORT_SERVER_ID)
    security: Security
    identity: Identity | None = Field(default=None, description="Of the given key; null for an issued one.")
    certificate: bytes | None = Field(default=None, description="The device's own, DER.")
    server_certificate: bytes | None = Field(default=None, description="The one that the server shows, DER.")
    sealed_key: str | None = Field(default=None, description="The pre-shared key, or the private key (PKCS #8, DER).")
    lifetime_s: int = Field(default=86400, ge=1, le=2**31 - 1, description="Of its registration there.")
    binding: Annotated[str, AfterValidator(_binding)] = "U"
    stores_notifications: bool = Field(default=True, description="Whether it keeps those that it could not send.")
    min_period_s: int | None = Field(default=None, ge=0, le=2**31 - 1, description="`pmin` where none is written.")
    max_period_s: int | None = Field(default=None, ge=1, le=2**31 - 1, description="`pmax` where none is written.")
    security_instance: InstanceId | None = Field(
        default=None, description="In object 0; null: the first that the account of the bootstrap server does not have."
    )
    server_instance: InstanceId | None = Field(default=None, description="In object 1; null: the first that is free.")

    @property
    def is_issued(self) -> bool:
        """Whether the device gets a key of its own at its bootstrap."""
        return self.security is Security.PSK and self.identity is None

    @property
    def has_key(self) -> bool:
        """Whether a secret is written to the device."""
        return self.security is not Security.NONE

    @model_validator(mode="after")
    def _belongs_together(self) -> Self:
        is_secure = urlsplit(self.uri).scheme in _SECURE
        if is_secure != self.has_key:
            raise ValueError(f"security {self.security} does not go with {urlsplit(self.uri).scheme}://")
        match self.security:
            case Security.NONE if self.identity is not None or self.sealed_key is not None:
                raise ValueError("security none has no identity and no key")
            case Security.PSK if (self.identity is None) != (self.sealed_key is None):
                raise ValueError("identity and key belong together; leave both out for a key that is issued")
            case Security.X509 if self.certificate is None or self.sealed_key is None:
                raise ValueError("x509 needs the certificate of the device and its private key")
        if self.security is not Security.X509 and not (self.certificate is self.server_certificate is None):
            raise ValueError("certificates go with x509 alone")
        return self


def account_binding(endpoint: str, short_server_id: int, uri: str) -> bytes:
    """What the sealed key of an account belongs to: in the entry of another endpoint it does not open."""
    return "\0".join((endpoint, str(short_server_id), uri)).encode()


class BootstrapConfiguration(Frozen):
    """What a device is to have after its bootstrap."""

    servers: tuple[ServerAccount, ...] = Field(min_length=1, max_length=MAX_SERVERS)
    values: tuple[PathValue, ...] = Field(
        default=(),
        max_length=MAX_VALUES,
        description="Of other objects, written by instance: what an instance had else is gone.",
        examples=[[{"path": "2/0/0", "value": 3}]],
    )
    delete: tuple[PathText | Annotated[str, Field(pattern="^/$")], ...] = Field(
        default=("0", "1"),
        max_length=MAX_VALUES,
        description="Objects and instances that are deleted before; `/` is all. The account of the bootstrap server "
        "and object 3 stay.",
    )
    format: int | None = Field(
        default=None, ge=0, le=65535, description="Content-Format to write in; null: the one that the device prefers."
    )

    @field_validator("values")
    @classmethod
    def _of_other_objects(cls, values: tuple[PathValue, ...]) -> tuple[PathValue, ...]:
        paths = [Path.parse(value.path) for value in values]
        for path in paths:
            if path.depth < 3:
                raise ValueError(f"/{path} is no resource")
            if path.object_id in {SECURITY, SERVER}:
                raise ValueError(f"/{path} is of an account: say it in servers")
            if paths.count(path) > 1:
                raise ValueError(f"/{path} is there twice")
        return tuple(value.model_copy(update={"path": str(path)}) for value, path in zip(values, paths, strict=True))

    @field_validator("delete")
    @classmethod
    def _deletable(cls, paths: tuple[str, ...]) -> tuple[str, ...]:
        for text in paths:
            path = Path.parse(text)
            if path.depth > 2:
                raise ValueError(f"/{path}: only objects and instances are deleted at a bootstrap")
            if path.depth == 2 and path.object_id == SECURITY:
                raise ValueError(f"/{path} may be the account of the bootstrap server: delete 0, which spares that")
        return tuple("/" if text == "/" else str(Path.parse(text)) for text in paths)

    @field_validator("servers")
    @classmethod
    def _told_apart(cls, servers: tuple[ServerAccount, ...]) -> tuple[ServerAccount, ...]:
        for what in ("short_server_id", "security_instance", "server_instance"):
            given = [number for one in servers if (number := getattr(one, what)) is not None]
            if len(set(given)) < len(given):
                raise ValueError(f"two servers have the same {what}")
        return servers

    @property
    def has_keys(self) -> bool:
        """Whether a secret is written to the device, which must not go in the clear."""
        return any(server.has_key for server in self.servers)


class BootstrapProfile(BootstrapConfiguration):
    """What devices are given that meet both choices; an empty one is met by all. Keys in it are issued ones alone:
    a given one would be that of all of them.
    """

    endpoints: tuple[EndpointPattern, ...] = Field(
        default=(), max_length=100, description="Endpoint names, `*` for any characters; one of them is enough."
    )
    tags: tuple[Tag, ...] = Field(
        default=(), max_length=MAX_TAGS, description="Tags, every one of which the endpoint has."
    )
    priority: int = Field(default=0, description="The highest wins where a device meets the choices of several.")

    @field_validator("servers")
    @classmethod
    def _without_keys(cls, servers: tuple[ServerAccount, ...]) -> tuple[ServerAccount, ...]:
        if any(server.sealed_key is not None for server in servers):
            raise ValueError(
                "a key in a profile would be that of all its devices: leave it out, and each is issued one"
            )
        return servers

    def meets(self, endpoint: str, tags: Collection[str]) -> bool:
        """Whether an endpoint of this name and these tags is meant."""
        is_named = not self.endpoints or any(fnmatchcase(endpoint, pattern) for pattern in self.endpoints)
        return is_named and all(tag in tags for tag in self.tags)


class Chosen(NamedTuple):
    """What a device is given, and the profile that says so; None where that is the endpoint's own."""

    configuration: BootstrapConfiguration
    profile: str | None


def choose(
    own: Mapping[str, BootstrapConfiguration],
    profiles: Mapping[str, BootstrapProfile],
    endpoint: str,
    tags: Collection[str] = (),
) -> Chosen | None:
    """The endpoint's own configuration, else the profile of the highest priority that it meets, then the first by name;
    None where there is neither: the device is not ours to bootstrap.
    """
    if (configuration := own.get(endpoint)) is not None:
        return Chosen(configuration, None)
    met = [(-profile.priority, name) for name, profile in profiles.items() if profile.meets(endpoint, tags)]
    if not met:
        return None
    name = min(met)[1]
    return Chosen(profiles[name], name)
