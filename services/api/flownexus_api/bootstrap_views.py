"""What devices are given at a bootstrap, and how it went, as the API shows it: never a key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pydantic import BaseModel, Field
from sqlalchemy import Row

from flownexus_api.paging import Page
from flownexus_schemas.bootstrap.configuration import BootstrapConfiguration, BootstrapProfile, Security, ServerAccount
from flownexus_schemas.commands import PathValue
from flownexus_schemas.events import BootstrapState


class ServerShown(BaseModel):
    """An account at a server. `key`: `issued`, `given` or null for none."""

    uri: str
    short_server_id: int
    security: Security
    key: str | None
    identity: str | None
    certificate: str | None = Field(description="PEM: the device's own.")
    server_certificate: str | None = Field(description="PEM: the one that the server shows.")
    lifetime_s: int
    binding: str
    stores_notifications: bool
    min_period_s: int | None
    max_period_s: int | None
    security_instance: int | None
    server_instance: int | None


class BootstrapShown(BaseModel):
    """What a device has after its bootstrap."""

    servers: list[ServerShown]
    values: list[PathValue]
    delete: list[str]
    format: int | None


class EndpointBootstrap(BaseModel):
    """What an endpoint is given at a bootstrap."""

    endpoint: str
    profile: str | None = Field(description="The profile that says so; null where that is declared for itself.")
    revision: int | None = Field(description="Of what is declared for itself, for If-Match; null where nothing is.")
    configuration: BootstrapShown | None = Field(description="Null: nobody said anything, and it is refused.")


class ConfiguredEndpoints(Page[EndpointBootstrap]):
    """A page of the endpoints that something is declared for."""


class NamedBootstrapProfile(BaseModel):
    """A profile with its name. `error`: why it cannot be read; what it was before is in force."""

    name: str
    revision: int | None = Field(default=None, description="For If-Match.")
    endpoints: list[str] = []
    tags: list[str] = []
    priority: int = 0
    configuration: BootstrapShown | None = None
    error: str | None = None


class BootstrapProfiles(Page[NamedBootstrapProfile]):
    """The profiles; always one page."""


class BootstrapStep(BaseModel):
    """A bootstrap began, finished or failed."""

    id: str
    time: datetime
    endpoint: str
    session: str = Field(description="The same for all steps of one bootstrap.")
    state: BootstrapState
    text: str = Field(description="What happened.")
    notes: list[str] = Field(description="What the device refused that it goes without.")
    code: str | None = Field(description="The device's CoAP code at which it failed.")
    profile: str | None
    credentials: list[str] = Field(description="Ids of those that it was issued.")
    identity: str | None = Field(description="What DTLS authenticated; null over plain CoAP.")
    address: str
    gateway: str


class BootstrapSteps(Page[BootstrapStep]):
    """A page of steps, the newest first."""


def shown(configuration: BootstrapConfiguration) -> BootstrapShown:
    """Without its keys."""
    return BootstrapShown(
        servers=[_server(server) for server in configuration.servers],
        values=list(configuration.values),
        delete=list(configuration.delete),
        format=configuration.format,
    )


def named(name: str, profile: BootstrapProfile, revision: int) -> NamedBootstrapProfile:
    """One that can be read."""
    return NamedBootstrapProfile(
        name=name,
        revision=revision,
        endpoints=list(profile.endpoints),
        tags=list(profile.tags),
        priority=profile.priority,
        configuration=shown(profile),
    )


def step(row: Row[Any]) -> BootstrapStep:
    """From a row that has all columns."""
    host = f"[{row.address_host}]" if ":" in row.address_host else row.address_host
    return BootstrapStep(
        id=str(row.stream_sequence),
        time=row.time,
        endpoint=row.endpoint,
        session=row.session,
        state=BootstrapState(row.state),
        text=row.text,
        notes=row.notes,
        code=row.code,
        profile=row.profile,
        credentials=row.credentials,
        identity=row.identity,
        address=f"{host}:{row.address_port}",
        gateway=row.gateway,
    )


def _server(account: ServerAccount) -> ServerShown:
    same = ServerShown.model_fields.keys() - {"key", "certificate", "server_certificate"}
    kind = "issued" if account.is_issued else "given" if account.has_key else None
    return ServerShown(
        **{name: getattr(account, name) for name in same},
        key=kind,
        certificate=_pem(account.certificate),
        server_certificate=_pem(account.server_certificate),
    )


def _pem(der: bytes | None) -> str | None:
    return None if der is None else x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM).decode()
