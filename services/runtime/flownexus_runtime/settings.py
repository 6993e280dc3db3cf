"""Settings that every service has. A service adds its own in a subclass, built once in its `main.py`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from flownexus_runtime.secret_strength import UrlWithPassword


class ServiceSettings(BaseSettings):
    """Read from environment variables `FLOWNEXUS_<FIELD>`; nothing else reads the environment.

    `nats_url` holds the credentials: `nats://user:password@host:4222`, or several joined by commas for a cluster.
    A weak or missing secret is refused.
    """

    model_config = SettingsConfigDict(env_prefix="FLOWNEXUS_", frozen=True, extra="ignore")

    allow_weak_secrets: bool = Field(default=False, description="For a trial: weak and missing secrets are taken.")
    nats_url: UrlWithPassword = Field(description="Where NATS is, with user and password.")
    health_host: str = Field(default="127.0.0.1", description="Address of /healthz, /readyz and /metrics.")
    health_port: int = Field(default=0, ge=0, le=65535, description="Its port; 0 takes a free one and logs it.")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"
