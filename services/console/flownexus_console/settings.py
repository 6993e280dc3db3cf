"""The console's settings."""

from __future__ import annotations

from typing import Literal

from pydantic import AnyHttpUrl, Field, IPvAnyNetwork
from pydantic_settings import BaseSettings, SettingsConfigDict

from flownexus_runtime.secret_strength import StrongSecret


class ConsoleSettings(BaseSettings):
    """Read from environment variables `FLOWNEXUS_<FIELD>`. The console has no NATS, so this stands by itself."""

    model_config = SettingsConfigDict(env_prefix="FLOWNEXUS_", frozen=True, extra="ignore")

    allow_weak_secrets: bool = Field(default=False, description="For a trial: a weak secret is taken.")
    api_url: AnyHttpUrl = Field(description="Where the REST API is, without `/api/v1`.")
    console_host: str = Field(default="127.0.0.1", description="Address to listen on.")
    console_port: int = Field(default=8080, ge=0, le=65535, description="Its port; 0 takes a free one and logs it.")
    console_secret: StrongSecret = Field(description="Signs the session cookie; at least 32 characters.")
    console_cookie_secure: bool = Field(
        default=False, description="Send the cookie over HTTPS only. Set it where a proxy in front ends TLS."
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(), description="Networks of proxies whose X-Forwarded-For and X-Forwarded-Proto are believed."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
