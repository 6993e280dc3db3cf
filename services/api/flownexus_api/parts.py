"""What the routes work with, put together once by `main` and by tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from flownexus_api.bus import Bus
from flownexus_api.image_signatures import ImageSignatures
from flownexus_api.last_uses import LastUses
from flownexus_api.oidc import Provider
from flownexus_api.sessions import SessionTimes
from flownexus_api.turns import Turns
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_runtime.firmware_progress import FirmwareDownloadProgress
from flownexus_runtime.live_models import LiveObjectModels
from flownexus_runtime.sealing import Sealer

MAX_STREAMS = 500
"""Live streams open at a time; each is a consumer in JetStream."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of a running API. `sealer`: of keys of devices. `stopping` is set when the process is about to end."""

    """The parts of a running API. `bootstrap_sealer`: of keys that devices are given at a bootstrap. `stopping` is set
    when the process is about to end.
    """

    engine: AsyncEngine
    bus: Bus
    models: LiveObjectModels
    provider: Provider | None = None
    sealer: Sealer | None = None
    bootstrap_sealer: Sealer | None = None
    session_times: SessionTimes = field(default_factory=SessionTimes)
    max_firmware_bytes: int = 64 << 20
    image_signatures: ImageSignatures = field(default_factory=ImageSignatures)
    turns: Turns = field(default_factory=Turns)
    last_uses: LastUses = field(default_factory=LastUses)
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
