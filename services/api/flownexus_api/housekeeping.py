"""Rows about people that mean nothing any more go away, whichever replica comes to it first."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import structlog
from sqlalchemy import delete, func
from sqlalchemy.ext.asyncio import AsyncEngine

from flownexus_api.database import database_errors
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.tables import AuditEntry, KnownNetwork, LoginFailure, Session

log = structlog.get_logger(__name__)

INTERVAL_S = 600.0
FAILURES_KEPT = timedelta(hours=1)
NETWORKS_KEPT = timedelta(days=90)


async def tidy(engine: AsyncEngine, audit_days: int | None) -> None:
    """Delete sessions that are over, counts that are forgotten, networks long unused, and an audit beyond its days.

    Raises Unavailable.
    """
    gone = [
        delete(Session).where(Session.expires_at < func.now()),
        delete(LoginFailure).where(LoginFailure.last_at < func.now() - FAILURES_KEPT),
        delete(KnownNetwork).where(KnownNetwork.last_login_at < func.now() - NETWORKS_KEPT),
    ]
    if audit_days is not None:
        gone.append(delete(AuditEntry).where(AuditEntry.time < func.now() - timedelta(days=audit_days)))
    with database_errors():
        for statement in gone:
            async with engine.begin() as connection:
                await connection.execute(statement)


@contextlib.asynccontextmanager
async def housekeeping(engine: AsyncEngine, audit_days: int | None) -> AsyncIterator[None]:
    """Tidy every ten minutes while the block runs."""
    task = asyncio.create_task(_tidy_on(engine, audit_days))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _tidy_on(engine: AsyncEngine, audit_days: int | None) -> None:
    while True:
        await asyncio.sleep(INTERVAL_S)
        try:
            await tidy(engine, audit_days)
        except Unavailable as error:
            log.info("housekeeping.postponed", reason=str(error))
