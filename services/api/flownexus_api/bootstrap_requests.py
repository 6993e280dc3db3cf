"""What devices are to be given at a bootstrap, as a caller writes it; and as it is kept, its keys sealed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from flownexus_api.value_check import fitting
from flownexus_runtime.sealing import NotOpened, Sealer
from flownexus_schemas.bootstrap.configuration import (
    BootstrapConfiguration,
    BootstrapProfile,
    InstanceId,
    Security,
    ServerAccount,
    ServerUri,
    account_binding,
)
from flownexus_schemas.commands import PathValue
from flownexus_schemas.credentials import MAX_KEY_BYTES, MIN_KEY_BYTES, Identity, pre_shared_key
from flownexus_schemas.errors import InvalidRequest, Unavailable
from flownexus_schemas.lwm2m.object_model import ObjectModels

MAX_PEM = 20_000

Kept = TypeVar("Kept", bound=BootstrapConfiguration)

Pem = Annotated[str, Field(max_length=MAX_PEM)]


class ServerGiven(BaseModel):
    """An account at a server. With `psk` and no identity each device is issued a key of its own at each bootstrap."""

    model_config = ConfigDict(extra="forbid")

    uri: ServerUri
    short_server_id: int = Field(default=1, ge=1, le=65534)
    security: Security
    identity: Identity | None = Field(default=None, description="Of a key that you give; not in a profile.")
    key: SecretStr | None = Field(
        default=None,
        max_length=200,
        description=f"{MIN_KEY_BYTES} to {MAX_KEY_BYTES} bytes in hex. Never shown again; left out, the one that was "
        "given before with this identity stays.",
    )
    certificate: Pem | None = Field(default=None, description="PEM: the device's own.")
    private_key: SecretStr | None = Field(
        default=None, max_length=MAX_PEM, description="PEM: of that. Never shown again; left out, the former one stays."
    )
    server_certificate: Pem | None = Field(default=None, description="PEM: the one that the server shows.")
    lifetime_s: int = Field(default=86400, ge=1, le=2**31 - 1, description="Of the registration there, in seconds.")
    binding: str = Field(default="U", max_length=10)
    stores_notifications: bool = Field(default=True, description="Whether it keeps those that it could not send.")
    min_period_s: int | None = Field(default=None, ge=0, le=2**31 - 1, description="`pmin` where none is written.")
    max_period_s: int | None = Field(default=None, ge=1, le=2**31 - 1, description="`pmax` where none is written.")
    security_instance: InstanceId | None = Field(
        default=None, description="In object 0; null: the first that the account of the bootstrap server does not have."
    )
    server_instance: InstanceId | None = Field(default=None, description="In object 1; null: the first that is free.")


class BootstrapGiven(BaseModel):
    """What a device is to have after its bootstrap."""

    model_config = ConfigDict(extra="forbid")

    servers: list[ServerGiven] = Field(min_length=1, max_length=8)
    values: list[PathValue] = Field(
        default=[],
        max_length=100,
        description="Of other objects, written by instance: what an instance had else is gone.",
    )
    delete: list[str] = Field(
        default=["0", "1"],
        max_length=100,
        description="Objects and instances that are deleted before; `/` is all. The account of the bootstrap server "
        "and object 3 stay.",
    )
    format: int | None = Field(
        default=None, ge=0, le=65535, description="Content-Format to write in; null: the one that the device prefers."
    )


class BootstrapProfileGiven(BootstrapGiven):
    """The same for all devices that it chooses. Its keys are issued ones alone."""

    endpoints: list[str] = Field(
        default=[], max_length=100, description="Endpoint names, `*` for any characters; one of them is enough."
    )
    tags: list[str] = Field(default=[], max_length=50, description="Tags, every one of which the endpoint has.")
    priority: int = Field(default=0, ge=-(2**31), le=2**31 - 1, description="The highest wins.")


class _Keyed(NamedTuple):
    """A secret, and what of it is no secret."""

    key: bytes | None
    certificate: bytes | None = None


def configuration(
    given: BootstrapGiven,
    endpoint: str,
    former: BootstrapConfiguration | None,
    sealer: Sealer | None,
    models: ObjectModels,
) -> BootstrapConfiguration:
    """An endpoint's own, as it is kept. Keys left out stay as they were in `former`. Raises InvalidRequest,
    Unavailable where no key can be sealed here.
    """
    kept = () if former is None else former.servers
    servers = [_account(server, endpoint, kept, sealer) for server in given.servers]
    return _checked(BootstrapConfiguration, given, servers, models)


def profile(given: BootstrapProfileGiven, models: ObjectModels) -> BootstrapProfile:
    """A profile as it is kept. Raises InvalidRequest."""
    for server in given.servers:
        if (server.identity, server.key, server.private_key) != (None, None, None):
            raise InvalidRequest(
                "servers: a key in a profile would be that of all its devices: leave identity and key out, and each is "
                "issued its own, or give them to each endpoint by itself."
            )
    return _checked(BootstrapProfile, given, [_fields(server, None) for server in given.servers], models)


def _checked(kind: type[Kept], given: BootstrapGiven, servers: Sequence[dict[str, Any]], models: ObjectModels) -> Kept:
    values = [fitting(value, models, {}) for value in given.values]
    fields = {name: getattr(given, name) for name in type(given).model_fields}
    try:
        return kind.model_validate({**fields, "servers": servers, "values": [value.model_dump() for value in values]})
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, found["loc"])) or "body"
        raise InvalidRequest(f"{where}: {found['msg'].removeprefix('Value error, ')}.") from None


def _account(
    given: ServerGiven, endpoint: str, former: Sequence[ServerAccount], sealer: Sealer | None
) -> dict[str, Any]:
    keyed = _keyed(given)
    fields = _fields(given, keyed.certificate)
    binding = account_binding(endpoint, given.short_server_id, given.uri)
    key = keyed.key
    if key is None:
        kept = next((one.sealed_key for one in former if _is_the_same(one, fields)), None)
        if kept is None or sealer is None or sealer.is_current(kept):
            return {**fields, "sealed_key": kept}
        key = _opened(sealer, kept, binding)
    if sealer is None:
        raise Unavailable("No key can be kept: FLOWNEXUS_CREDENTIALS_KEY is not set for the API.")
    return {**fields, "sealed_key": sealer.seal(key, binding)}


def _opened(sealer: Sealer, sealed: str, binding: bytes) -> bytes:
    """A key that was sealed with a former key of ours, to be sealed with the present one."""
    try:
        return sealer.open(sealed, binding)
    except NotOpened as error:
        raise InvalidRequest(f"servers.key: the one that was given before cannot be kept: {error}; give it.") from error


def _is_the_same(one: ServerAccount, fields: dict[str, Any]) -> bool:
    """Whether a key that was given before is for this account too: it is bound to the server, and to who shows it."""
    names = ("uri", "short_server_id", "security", "identity", "certificate")
    return all(getattr(one, name) == fields[name] for name in names)


def _fields(given: ServerGiven, certificate: bytes | None) -> dict[str, Any]:
    fields = given.model_dump(exclude={"key", "private_key", "certificate", "server_certificate"})
    shown = given.server_certificate
    return {
        **fields,
        "certificate": certificate,
        "server_certificate": None if shown is None else _certificate(shown, "server_certificate"),
    }


def _keyed(given: ServerGiven) -> _Keyed:
    if given.certificate is None and given.private_key is not None:
        raise InvalidRequest("servers.private_key: it goes with a certificate.")
    if given.certificate is None:
        return _Keyed(None if given.key is None else _hex(given.key.get_secret_value()))
    if given.key is not None:
        raise InvalidRequest("servers.key: with a certificate goes its private_key.")
    certificate = _certificate(given.certificate, "certificate")
    if given.private_key is None:
        return _Keyed(None, certificate)
    return _Keyed(_private_key(given.private_key.get_secret_value(), certificate), certificate)


def _hex(text: str) -> bytes:
    try:
        return pre_shared_key(text)
    except ValueError as error:
        raise InvalidRequest(f"servers.key: {error}.") from None


def _certificate(text: str, what: str) -> bytes:
    try:
        return x509.load_pem_x509_certificate(text.encode()).public_bytes(Encoding.DER)
    except ValueError:
        raise InvalidRequest(f"servers.{what}: it is no certificate in PEM.") from None


def _private_key(text: str, certificate: bytes) -> bytes:
    try:
        key = load_pem_private_key(text.encode(), None)
        public = x509.load_der_x509_certificate(certificate).public_key()
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise InvalidRequest("servers.private_key: it is no private key in PEM without a password.") from None
    if public != key.public_key():
        raise InvalidRequest("servers.private_key: it is that of another certificate.")
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
