"""Settings of the coap-gateway."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from flownexus_gateway.firmware_addresses import base_url
from flownexus_gateway.transport.dtls.certificate_names import NamedBy
from flownexus_gateway.transport.dtls.dtls_socket import DtlsOptions
from flownexus_gateway.transport.dtls.openssl_context import ServerCertificate
from flownexus_gateway.transport.plain_access import PlainAccess
from flownexus_runtime.sealing import CredentialsKey
from flownexus_runtime.settings import ServiceSettings


def _url(*schemes: str) -> AfterValidator:
    return AfterValidator(lambda text: None if text is None else base_url(text, schemes))


Place = tuple[str, int]
"""Host and port."""

_Unset = BeforeValidator(lambda given: None if given == "" else given)


def _access(text: str) -> str:
    PlainAccess(text)
    return text


class GatewaySettings(ServiceSettings):
    """Environment variables `FLOWNEXUS_<FIELD>`."""

    gateway_id: str = Field(default="gw-1", pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Unique among gateways.")
    coap_host: str = Field(default="::", description="Address to bind; `::` is every IPv6 and IPv4 address.")
    coap_port: int = Field(default=5683, ge=0, le=65535, description="UDP port of plain CoAP.")
    plain_coap: Annotated[str, AfterValidator(_access)] = Field(
        default="open",
        description="Who may come without DTLS: open, closed, or networks joined by commas: 10.0.0.0/8,2001:db8::/32.",
    )
    coaps_host: str = Field(default="::", description="Address to bind for CoAP over DTLS.")
    coaps_port: Annotated[int | None, _Unset] = Field(
        default=None, ge=0, le=65535, description="UDP port of CoAP over DTLS, 5684 by custom; none without DTLS."
    )
    credentials_key: Annotated[CredentialsKey | None, _Unset] = None
    dtls_certificate: Annotated[Path | None, _Unset] = Field(
        default=None, description="PEM file: our certificate and its chain, for devices with certificates."
    )
    dtls_private_key: Annotated[Path | None, _Unset] = Field(default=None, description="PEM file: the key of that.")
    dtls_client_ca: Annotated[Path | None, _Unset] = Field(
        default=None, description="PEM file: the CAs whose certificates devices may have."
    )
    dtls_named_by: NamedBy = Field(
        default=NamedBy.CREDENTIAL,
        description="What gives the endpoint name of a device whose certificate no credential names: credential "
        "(nothing, it is refused), common-name or alternative-name of the certificate.",
    )
    dtls_connection_ids: bool = Field(default=True, description="Connection ids (RFC 9146) for devices that know them.")
    dtls_mtu: int = Field(
        default=1200, ge=256, le=16384, description="Bytes that a datagram of a handshake has at most."
    )
    bootstrap_coap_port: Annotated[int | None, _Unset] = Field(
        default=None, ge=0, le=65535, description="UDP port of the bootstrap server, 5783 by custom; none unless set."
    )
    bootstrap_coaps_port: Annotated[int | None, _Unset] = Field(
        default=None, ge=0, le=65535, description="The same over DTLS, 5784 by custom; none unless set."
    )
    bootstrap_on_all_ports: bool = Field(
        default=False, description="Whether devices may bootstrap at /bs on the ports of the gateway too."
    )
    object_model_folders: tuple[Path, ...] = Field(default=(), description="Folders of OMA DDF XML, besides our own.")
    firmware_coap_url: Annotated[str | None, _Unset, _url("coap")] = Field(
        default=None,
        description="Where devices reach this gateway, for links to firmware; by default the address that each uses.",
    )
    firmware_coaps_url: Annotated[str | None, _Unset, _url("coaps")] = Field(
        default=None,
        description="The same for devices that come by DTLS, which fetch firmware by it too.",
    )
    firmware_http_url: Annotated[str | None, _Unset, _url("http", "https")] = Field(
        default=None,
        description="Where devices reach the api, for links to firmware. 0.0.0.0 or [::] as its host stands for the "
        "address of this machine that a device uses.",
    )

    @model_validator(mode="after")
    def _that_belongs_together(self) -> GatewaySettings:
        if self.coaps_port is not None and self.credentials_key is None:
            raise ValueError("FLOWNEXUS_COAPS_PORT needs FLOWNEXUS_CREDENTIALS_KEY, which opens the keys of devices")
        if self.bootstrap_coaps_port is not None and self.credentials_key is None:
            raise ValueError("FLOWNEXUS_BOOTSTRAP_COAPS_PORT needs FLOWNEXUS_CREDENTIALS_KEY too")
        if self.plain_access.is_closed and self.coaps_port is None:
            raise ValueError("FLOWNEXUS_PLAIN_COAP is closed and FLOWNEXUS_COAPS_PORT not set: no device could come")
        if (self.dtls_certificate is None) != (self.dtls_private_key is None):
            raise ValueError("FLOWNEXUS_DTLS_CERTIFICATE and FLOWNEXUS_DTLS_PRIVATE_KEY belong together: give both")
        if self.dtls_client_ca is not None and self.dtls_certificate is None:
            raise ValueError("FLOWNEXUS_DTLS_CLIENT_CA needs FLOWNEXUS_DTLS_CERTIFICATE: we show devices one too")
        return self

    @property
    def plain_access(self) -> PlainAccess:
        return PlainAccess(self.plain_coap)

    @property
    def places(self) -> tuple[Place | None, Place | None]:
        """Where devices come to: host and port of plain CoAP, and of CoAPS; None where one is not served."""
        plain = None if self.plain_access.is_closed else (self.coap_host, self.coap_port)
        return plain, None if self.coaps_port is None else (self.coaps_host, self.coaps_port)

    @property
    def bootstrap_places(self) -> tuple[Place | None, Place | None]:
        """The same of the bootstrap server's own ports."""
        plain, secure = self.bootstrap_coap_port, self.bootstrap_coaps_port
        is_open = plain is not None and not self.plain_access.is_closed
        return (
            (self.coap_host, plain) if is_open and plain is not None else None,
            None if secure is None else (self.coaps_host, secure),
        )

    @property
    def dtls_options(self) -> DtlsOptions:
        certificate = None
        if self.dtls_certificate is not None and self.dtls_private_key is not None:
            certificate = ServerCertificate(self.dtls_certificate, self.dtls_private_key, self.dtls_client_ca)
        return DtlsOptions(certificate, self.dtls_named_by, self.dtls_connection_ids, self.dtls_mtu)
