"""Settings of ingest."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from flownexus_runtime.secret_strength import UrlWithPassword
from flownexus_runtime.settings import ServiceSettings


class IngestSettings(ServiceSettings):
    """Read from `FLOWNEXUS_*`."""

    database_url: UrlWithPassword = Field(description="`postgresql://user:password@host:port/database`.")
    object_model_folders: tuple[Path, ...] = Field(default=(), description="Folders of DDF files beside our own.")
    ingest_batch: int = Field(default=1000, ge=1, le=10_000, description="The most messages in one transaction.")
    overdue_grace_s: float = Field(
        default=3600.0, gt=0, description="Seconds that devices have at the most to come back after an outage of ours."
    )
