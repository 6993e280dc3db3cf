"""Rows about people that mean nothing any more go away, whichever replica comes to it first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog
from sqlalchemy import Executable, delete, func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from flownexus_api.database import database_errors
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.tables import KnownNetwork, LoginFailure, Session
from flownexus_schemas.tables.audit_retention import FORGET_AUDIT

log = structlog.get_logger(__name__)

INTERVAL_S = 600.0
FAILURES_KEPT = timedelta(hours=1)
NETWORKS_KEPT = timedelta(days=90)


async def tidy(engine: AsyncEngine) -> None:
    """Delete sessions that are over, counts that are forgotten, networks long unused; ask for an audit beyond its days.

    Raises Unavailable.
    """
    gone: list[Executable] = [
        delete(Session).where(Session.expires_at < func.now()),
        delete(LoginFailure).where(LoginFailure.last_at < func.now() - FAILURES_KEPT),
        delete(KnownNetwork).where(KnownNetwork.last_login_at < func.now() - NETWORKS_KEPT),
        select(getattr(func, FORGET_AUDIT)()),
    ]
    with database_errors():
        for statement in gone:
            async with engine.begin() as connection:
                await connection.execute(statement)


@contextlib.asynccontextmanager
async def housekeeping(engine: AsyncEngine) -> AsyncIterator[None]:
    """Tidy every ten minutes while the block runs."""
    task = asyncio.create_task(_tidy_on(engine))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _tidy_on(engine: AsyncEngine) -> None:
    while True:
        await asyncio.sleep(INTERVAL_S)
        try:
            await tidy(engine)
        except Unavailable as error:
            log.info("housekeeping.postponed", reason=str(error))
