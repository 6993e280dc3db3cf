"""What a person can choose about the system on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

LogLevel = Literal["debug", "info", "warning", "error"]


class StackSettings(BaseModel):
    """The options of `flownexus up`. The inner ports are chosen by ourselves where none is given."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    devices: int = Field(default=0, ge=0)
    device_interval_s: float = Field(default=5.0, gt=0)
    coap_host: str
    coap_port: int
    coaps_port: int
    bootstrap_coap_port: int = 5783
    bootstrap_coaps_port: int = 5784
    plain_coap: str = "open"
    api_host: str
    api_port: int
    console_host: str
    console_port: int
    nats_port: int | None = None
    nats_tls: bool = False
    postgres_port: int | None = None
    firmware_coap_url: str | None = None
    firmware_coaps_url: str | None = None
    firmware_http_url: str | None = None
    object_model_folders: tuple[Path, ...] = ()
    log_level: LogLevel = "info"
