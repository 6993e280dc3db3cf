"""Settings of the coap-gateway."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from flownexus_runtime.sealing import CredentialsKey
from flownexus_runtime.settings import ServiceSettings


class GatewaySettings(ServiceSettings):
    """Environment variables `FLOWNEXUS_<FIELD>`."""

    gateway_id: str = Field(default="gw-1", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Unique among gateways.")
    coap_host: str = Field(default="::", description="Address to bind; `::` is every IPv6 and IPv4 address.")
    coap_port: int = Field(default=5683, ge=0, le=65535, description="UDP port of plain CoAP.")
    credentials_key: CredentialsKey | None = None
    object_model_folders: tuple[Path, ...] = Field(default=(), description="Folders of OMA DDF XML, besides our own.")
