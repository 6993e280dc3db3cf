"""Who changed what: an entry for each change, written before it is made."""

from __future__ import annotations

from collections.abc import Mapping

import structlog
from fastapi import Request
from sqlalchemy import insert, update

from flownexus_api.access import Person
from flownexus_api.database import database_errors
from flownexus_api.parts import Parts
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.tables import AuditEntry

log = structlog.get_logger(__name__)

MAX_TARGET = 1000


async def write_down(
    parts: Parts,
    who: Person,
    action: str,
    target: str | None,
    http: Request,
    *,
    details: Mapping[str, object] | None = None,
) -> int:
    """In a transaction of its own; the number of the entry.

    A NUL in `target`, which PostgreSQL has not, is shown by its symbol.
    """
    entry = insert(AuditEntry).values(
        actor=who.name,
        action=action,
        target=None if target is None else target.replace("\0", "\N{SYMBOL FOR NULL}")[:MAX_TARGET],
        source_address=http.client.host if http.client else None,
        details=None if details is None else dict(details),
    )
    async with parts.engine.begin() as connection:
        number: int = (await connection.execute(entry.returning(AuditEntry.id))).scalar_one()
    return number


async def add_outcome(parts: Parts, entry: int, outcome: Mapping[str, str]) -> None:
    """Add what came of it. Where the database has gone, the caller still gets the answer."""
    added = AuditEntry.details.concat(dict(outcome))
    try:
        with database_errors():
            async with parts.engine.begin() as connection:
                await connection.execute(update(AuditEntry).where(AuditEntry.id == entry).values(details=added))
    except Unavailable:
        log.error("audit.outcome_lost", entry=entry, **outcome)
