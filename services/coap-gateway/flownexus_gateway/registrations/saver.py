"""Writing to KV what changed on the hot path: a moved address, an ended observation. Not at once, but soon."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.registrar import Registrar
from flownexus_schemas.errors import Unavailable

log = structlog.get_logger(__name__)

INTERVAL_S = 0.5
"""Within this a device's changes are written once."""


class Saver:
    """Registrations that are to be stored again."""

    def __init__(self, registrar: Registrar) -> None:
        self._registrar = registrar
        self._changed: set[LiveRegistration] = set()
        self._wake = asyncio.Event()

    def later(self, live: LiveRegistration) -> None:
        """Store this registration soon."""
        self._changed.add(live)

    def soon(self, live: LiveRegistration) -> None:
        """Store it now, after those that wait already: other gateways send it requests by what is stored."""
        self._changed.add(live)
        self._wake.set()

    async def run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(INTERVAL_S):
                    await self._wake.wait()
            self._wake.clear()
            await self.flush()

    async def flush(self) -> None:
        """Store all that waits, now."""
        changed, self._changed = self._changed, set()
        for live in changed:
            try:
                await self._registrar.save(live)
            except Unavailable as error:
                log.warning("registration.not_stored", endpoint=live.endpoint, reason=str(error))
                self._changed.add(live)
