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
        before: str | None = None
        while True:
            trouble = await self._trouble()
            self._ready = trouble == ""
            if trouble != before:
                if trouble:
                    log.warning("database.away", error=trouble)
                else:
                    log.info("database.ready")
            before = trouble
            await asyncio.sleep(INTERVAL_S)

    async def _trouble(self) -> str:
        """Why the database does not answer; empty where it does."""
        try:
            async with self._engine.connect() as connection:
                await connection.execute(text("select from endpoint_status limit 0"))
        except (DBAPIError, PoolTimeout, OSError) as error:
            return str(getattr(error, "orig", error)).strip() or repr(error)
        return ""
