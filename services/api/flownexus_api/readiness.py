"""Whether the database answers, looked at again and again in the background."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import structlog
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine

log = structlog.get_logger(__name__)

INTERVAL_S = 1.0


class DatabaseWatch:
    """`is_ready` says whether the database answered lately, migrated."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._ready = False

    def is_ready(self) -> bool:
        return self._ready

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Look while the block runs."""
        task = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _watch(self) -> None:
        while True:
            before, self._ready = self._ready, await self._answers()
            if self._ready and not before:
                log.info("database.ready")
            await asyncio.sleep(INTERVAL_S)

    async def _answers(self) -> bool:
        try:
            async with self._engine.connect() as connection:
                await connection.execute(text("select from endpoint_status limit 0"))
        except (DBAPIError, PoolTimeout, OSError) as error:
            log.warning("database.away", error=str(getattr(error, "orig", error)).strip())
            return False
        return True
