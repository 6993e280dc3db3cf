"""Settings of the coap-gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field

from flownexus_gateway.firmware_addresses import base_url
from flownexus_runtime.sealing import CredentialsKey
from flownexus_runtime.settings import ServiceSettings


def _url(*schemes: str) -> AfterValidator:
    return AfterValidator(lambda text: None if text is None else base_url(text, schemes))


_Unset = BeforeValidator(lambda given: None if given == "" else given)


class GatewaySettings(ServiceSettings):
    """Environment variables `FLOWNEXUS_<FIELD>`."""

    gateway_id: str = Field(default="gw-1", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Unique among gateways.")
    coap_host: str = Field(default="::", description="Address to bind; `::` is every IPv6 and IPv4 address.")
    coap_port: int = Field(default=5683, ge=0, le=65535, description="UDP port of plain CoAP.")
    credentials_key: CredentialsKey | None = None
    object_model_folders: tuple[Path, ...] = Field(default=(), description="Folders of OMA DDF XML, besides our own.")
    firmware_coap_url: Annotated[str | None, _Unset, _url("coap")] = Field(
        default=None,
        description="Where devices reach this gateway, for links to firmware; by default the address that each uses.",
    )
    firmware_http_url: Annotated[str | None, _Unset, _url("http", "https")] = Field(
        default=None,
        description="Where devices reach the api, for links to firmware. 0.0.0.0 or [::] as its host stands for the "
        "address of this machine that a device uses.",
    )
