"""Settings that every service has. A service adds its own in a subclass, built once in its `main.py`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from flownexus_runtime import bus_tls
from flownexus_runtime.secret_strength import UrlWithPassword

_Unset = BeforeValidator(lambda given: None if given == "" else given)


def _is_secure(urls: str) -> bool:
    return urls.strip().startswith(f"{bus_tls.SCHEME}://")


class NatsSettings(BaseSettings):
    """How NATS is reached. Read from environment variables `FLOWNEXUS_<FIELD>`.

    `nats_url` holds the credentials: `nats://user:password@host:4222`, or `tls://` for TLS; several joined by commas
    for a cluster. A weak or missing secret is refused.
    """

    model_config = SettingsConfigDict(env_prefix="FLOWNEXUS_", frozen=True, extra="ignore")

    allow_weak_secrets: bool = Field(default=False, description="For a trial: weak and missing secrets are taken.")
    nats_url: UrlWithPassword = Field(description="Where NATS is, with user and password; tls:// for TLS.")
    nats_ca: Annotated[Path | None, _Unset] = Field(
        default=None, description="PEM file: the CA of NATS's certificate; the system's CAs without it."
    )
    nats_server_name: Annotated[str | None, _Unset] = Field(
        default=None, description="The name in NATS's certificate, where it is not the host of the URL."
    )

    @field_validator("nats_url")
    @classmethod
    def _all_or_none_over_tls(cls, urls: SecretStr) -> SecretStr:
        if len({_is_secure(url) for url in urls.get_secret_value().split(",")}) > 1:
            raise ValueError("some of its servers have TLS and some not: write tls:// for all of them")
        return urls

    @field_validator("nats_ca", "nats_server_name")
    @classmethod
    def _with_tls(cls, given: Path | str | None, info: ValidationInfo) -> Path | str | None:
        urls: SecretStr | None = info.data.get("nats_url")
        if given is not None and urls is not None and not _is_secure(urls.get_secret_value()):
            raise ValueError("is for tls:// in FLOWNEXUS_NATS_URL, which has nats://")
        if isinstance(given, Path):
            bus_tls.context(given)
        return given

    @property
    def nats_uses_tls(self) -> bool:
        """Whether the URL asks for TLS."""
        return _is_secure(self.nats_url.get_secret_value())


class ServiceSettings(NatsSettings):
    """What every service reads; nothing else reads the environment."""

    health_host: str = Field(default="127.0.0.1", description="Address of /healthz, /readyz and /metrics.")
    health_port: int = Field(default=0, ge=0, le=65535, description="Its port; 0 takes a free one and logs it.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
