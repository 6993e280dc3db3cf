"""Settings of the API."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, IPvAnyNetwork, SecretStr, ValidationInfo, field_validator

from flownexus_api.database import driver_url
from flownexus_api.image_signatures import ImageSignatures, load_public_key
from flownexus_api.oidc import ProviderSettings
from flownexus_api.sessions import LIFETIME_S, LONGEST_S
from flownexus_api.user_views import Role
from flownexus_runtime.sealing import CredentialsKey
from flownexus_runtime.secret_strength import UrlWithPassword
from flownexus_runtime.settings import ServiceSettings

ORIGIN = re.compile(r"https?://[a-z0-9.-]+(:[0-9]+)?|https?://\[[0-9a-f:]+\](:[0-9]+)?")
"""As browsers write it: RFC 6454, 6.2. `*` is none: who may ask is listed."""


class ApiSettings(ServiceSettings):
    """Environment variables `FLOWNEXUS_<FIELD>`; see ServiceSettings for those that every service has."""

    database_url: UrlWithPassword = Field(description="`postgresql://user:password@host:port/database`.")
    api_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    api_port: int = Field(default=8000, ge=0, le=65535, description="Port to listen on; 0 takes a free one.")
    credentials_key: CredentialsKey | None = None
    token_lifetime_s: int = Field(
        default=LIFETIME_S, ge=5, le=86_400, description="Seconds an access token is good for, unless it is renewed."
    )
    session_lifetime_s: int = Field(
        default=LONGEST_S,
        ge=5,
        le=30 * 86_400,
        description="Seconds after a login for which its token can be renewed.",
    )
    oidc_issuer: str | None = Field(default=None, description="URL of an OpenID Connect provider; none unless set.")
    oidc_client_id: str = Field(default="flownexus", description="Our name there.")
    oidc_client_secret: SecretStr | None = Field(default=None, description="None for a public client.")
    oidc_label: str = Field(default="single sign-on", description="What the login page calls the provider.")
    oidc_scope: str = Field(default="openid profile", description="Scopes that are asked for, by spaces.")
    oidc_name_claim: str = Field(default="preferred_username", description="The claim with the user name.")
    oidc_role_claim: str = Field(default="groups", description="The claim that gives roles; dots lead into it.")
    oidc_roles: dict[str, Role] = Field(default={}, description='Roles by its values: {"iot-admins": "administrator"}.')
    oidc_default_role: Role | None = Field(default=None, description="Of those to whom it gives none; else refused.")
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Networks of proxies, the console among them, whose X-Forwarded-For is believed."
    )
    cors_origins: tuple[str, ...] = Field(
        default=(), description="Origins of other web pages whose scripts may ask this API, e.g. `https://my.example`."
    )
    max_firmware_bytes: int = Field(default=64 << 20, ge=1, description="The largest firmware image that is taken.")
    firmware_public_key: Path | None = Field(
        default=None, description="PEM file: Ed25519 or ECDSA over P-256; signatures of images are checked with it."
    )
    firmware_signed_only: bool = Field(default=False, description="An image without a signature is refused.")
    object_model_folders: tuple[Path, ...] = Field(default=(), description="Folders of OMA DDF XML files.")

    @field_validator("database_url")
    @classmethod
    def _a_postgresql_url(cls, url: SecretStr) -> SecretStr:
        driver_url(url.get_secret_value())
        return url

    @field_validator("firmware_public_key")
    @classmethod
    def _a_public_key(cls, file: Path | None) -> Path | None:
        if file is not None:
            load_public_key(file)
        return file

    @field_validator("firmware_signed_only")
    @classmethod
    def _with_a_key(cls, required: bool, info: ValidationInfo) -> bool:
        if required and info.data.get("firmware_public_key") is None:
            raise ValueError("signatures are checked only where FLOWNEXUS_FIRMWARE_PUBLIC_KEY is set")
        return required

    @property
    def image_signatures(self) -> ImageSignatures:
        """What checks signatures of images."""
        key = None if self.firmware_public_key is None else load_public_key(self.firmware_public_key)
        return ImageSignatures(key, required=self.firmware_signed_only)

    @field_validator("oidc_issuer")
    @classmethod
    def _over_tls(cls, issuer: str | None) -> str | None:
        url = urlsplit(issuer or "https://none")
        if url.scheme != "https" and not (url.scheme == "http" and url.hostname in {"127.0.0.1", "::1", "localhost"}):
            raise ValueError("an issuer is an https:// URL, as the provider writes it of itself")
        return issuer

    def provider(self) -> ProviderSettings | None:
        """The identity provider, where one is set."""
        if self.oidc_issuer is None:
            return None
        return ProviderSettings(
            issuer=self.oidc_issuer,
            client_id=self.oidc_client_id,
            client_secret=self.oidc_client_secret,
            label=self.oidc_label,
            scope=self.oidc_scope,
            name_claim=self.oidc_name_claim,
            role_claim=self.oidc_role_claim,
            roles=self.oidc_roles,
            default_role=self.oidc_default_role,
        )

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for origin in origins:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is no origin: write https://host or https://host:port, each by itself")
        return origins
