"""What the routes work with, put together once by `main` and by tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flownexus_api.bus import Bus
from flownexus_api.throttle import LoginThrottle
from flownexus_api.tokens import Tokens
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_runtime.firmware_progress import FirmwareDownloadProgress
from flownexus_runtime.live_models import LiveObjectModels

MAX_HASHING = 2
"""Passwords checked at a time: each check takes 64 MiB and a thread."""

MAX_STREAMS = 500
"""Live streams open at a time; each is a consumer in JetStream."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running API. `stopping` is set when the process is about to end."""

    engine: AsyncEngine
    bus: Bus
    tokens: Tokens
    models: LiveObjectModels
    max_firmware_bytes: int = 64 << 20
    throttle: LoginThrottle = field(default_factory=LoginThrottle)
    hashing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_HASHING))
    streams: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(MAX_STREAMS))
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    images: FirmwareImages = field(init=False)
    download_progress: FirmwareDownloadProgress = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", FirmwareImages(self.bus.jetstream))
        object.__setattr__(self, "download_progress", FirmwareDownloadProgress(self.bus.publish))


def parts_of(request: Request) -> Parts:
    """The parts of the application that answers this request."""
    parts: Parts = request.app.state.parts
    return parts


PartsDep = Annotated[Parts, Depends(parts_of)]


async def _transaction(parts: PartsDep) -> AsyncIterator[AsyncConnection]:
    async with parts.engine.begin() as connection:
        yield connection


Database = Annotated[AsyncConnection, Depends(_transaction, scope="function")]
"""The request's one transaction, committed before the answer is sent."""
