"""When API tokens were used last: gathered in memory and written together, so that no request waits for it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncEngine

from flownexus_api.database import database_errors
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.tables import ApiToken

log = structlog.get_logger(__name__)

INTERVAL_S = 5.0
MAX_NOTED = 10_000


class LastUses:
    """Uses that are not written yet, by the hash of the token."""

    def __init__(self) -> None:
        self._noted: dict[bytes, str | None] = {}

    def note(self, digest: bytes, address: str | None) -> None:
        """The token was used now, from there."""
        if len(self._noted) < MAX_NOTED:
            self._noted[digest] = address

    async def write(self, engine: AsyncEngine) -> None:
        """Write what was noted. Raises Unavailable; what was noted is lost then."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        with database_errors():
            async with engine.begin() as connection:
                # In one order, so that two replicas do not wait for each other in a circle.
                for digest, address in sorted(noted.items()):
                    used = update(ApiToken).where(ApiToken.token_hash == digest)
                    await connection.execute(used.values(last_used_at=func.now(), last_used_from=address))

    @contextlib.asynccontextmanager
    async def writing(self, engine: AsyncEngine) -> AsyncIterator[None]:
        """Write every few seconds while the block runs, and at its end."""
        task = asyncio.create_task(self._write_on(engine))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            await self._try_to_write(engine)

    async def _write_on(self, engine: AsyncEngine) -> None:
        while True:
            await asyncio.sleep(INTERVAL_S)
            await self._try_to_write(engine)

    async def _try_to_write(self, engine: AsyncEngine) -> None:
        try:
            await self.write(engine)
        except Unavailable as error:
            log.warning("token_uses.lost", error=str(error))
