"""Registrations whose lifetime is over. LwM2M Core 1.1.1, 6.2.2."""

from __future__ import annotations

import asyncio
import time

import structlog

from flownexus_gateway.publisher import Publisher
from flownexus_gateway.registrations.registrar import Registrar
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_schemas.errors import NotFound, Unavailable

log = structlog.get_logger(__name__)

GRACE_S = 5.0
"""After the lifetime, and after a start or a reconnection of the gateway: an Update may be on its way."""

FOREIGN_GRACE_S = 60.0
"""After the lifetime of a registration of another gateway, which would have ended it by then if it ran."""

_INTERVAL_S = 0.5


class Expiry:
    """Ends what is due, as long as it runs."""

    def __init__(self, table: RegistrationTable, registrar: Registrar, publisher: Publisher, gateway_id: str) -> None:
        self._table, self._registrar, self._publisher = table, registrar, publisher
        self._gateway_id = gateway_id

    async def run(self) -> None:
        """Look at all registrations twice a second: 2,000 take a millisecond."""
        not_before = time.time() + GRACE_S
        while True:
            await asyncio.sleep(_INTERVAL_S)
            now = time.time()
            if not self._publisher.is_connected:
                # Devices could not update while nothing was acknowledged.
                not_before = now + GRACE_S
            if now >= not_before:
                await self._end_due(now)

    async def _end_due(self, now: float) -> None:
        for live in self._table:
            grace = GRACE_S if live.registration.gateway == self._gateway_id else FOREIGN_GRACE_S
            if live.expires_at + grace > now:
                continue
            try:
                await self._registrar.expire(live, now)
            except NotFound:
                continue
            except Unavailable as error:
                log.warning("registration.expiry_postponed", endpoint=live.endpoint, reason=str(error))
                return
