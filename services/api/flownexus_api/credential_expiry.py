"""Credentials of devices that end soon: counted for the metrics, and each in the log once it is 30 days before."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

import structlog
from prometheus_client import Gauge

from flownexus_api.bus import Bus
from flownexus_api.credential_query import ends_within
from flownexus_runtime.live_credentials import LiveCredentials
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.credentials import SOON_DAYS
from flownexus_schemas.errors import Unavailable

log = structlog.get_logger(__name__)

EXPIRING = Gauge("flownexus_api_credentials_expiring", "Credentials of devices that count and end within 30 days.")
LOOK_S, INTERVAL_S = 1.0, 60.0


class ExpiryWarnings:
    """Of one process; each end is told once."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def tell(self, live: LiveCredentials, now: float) -> None:
        """What ends soon as of `now`, Unix seconds, and has not been told. One that is followed by another is not."""
        soon = [one for one in live if ends_within(one, SOON_DAYS, now) and one.until_used is None]
        EXPIRING.set(len(soon))
        ends = {one.id: one.expires_at for one in soon if one.expires_at is not None}
        for one in soon:
            if self._told.get(one.id) != one.expires_at:
                end = utc(ends[one.id]).isoformat(timespec="seconds")
                log.warning("credential.expires_soon", endpoint=one.endpoint, credential=one.id, expires_at=end)
        self._told = ends


@contextlib.asynccontextmanager
async def expiry_warnings(bus: Bus) -> AsyncIterator[None]:
    """Tell while the block runs."""
    task = asyncio.create_task(_tell_on(bus, ExpiryWarnings()))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _tell_on(bus: Bus, warnings: ExpiryWarnings) -> None:
    """Where a credential changed, and each minute."""
    revision, next_at = -1, 0.0
    while True:
        with contextlib.suppress(Unavailable):
            live, now = bus.loaded_credentials(), time.time()
            if live.revision != revision or now >= next_at:
                warnings.tell(live, now)
                revision, next_at = live.revision, now + INTERVAL_S
        await asyncio.sleep(LOOK_S)
