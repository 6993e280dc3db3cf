"""Who changed what: an entry for each change, written before it is made or with it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

import structlog
from fastapi import Request
from sqlalchemy import Insert, text

from flownexus_api.access import Person, address_of
from flownexus_api.audit_entry import audit_entry
from flownexus_api.database import database_errors
from flownexus_api.parts import Parts
from flownexus_schemas.errors import FlowNexusError, Unavailable
from flownexus_schemas.tables import AuditEntry
from flownexus_schemas.tables.audit_outcomes import ADD_OUTCOME

log = structlog.get_logger(__name__)

ADD = f"select {ADD_OUTCOME}(cast(:entries as bigint[]), cast(:outcome as jsonb))"


def entry_of(
    who: Person, action: str, target: str | None, http: Request, *, details: Mapping[str, object] | None = None
) -> Insert:
    """The entry of something that a person does over the api, for the transaction that does it."""
    return audit_entry(who.name, action, target, address=address_of(http), api_token=who.api_token, details=details)


async def write_down(
    parts: Parts,
    who: Person,
    action: str,
    target: str | None,
    http: Request,
    *,
    details: Mapping[str, object] | None = None,
) -> int:
    """In a transaction of its own, before something that no transaction holds; the number of the entry."""
    entry = entry_of(who, action, target, http, details=details)
    async with parts.engine.begin() as connection:
        number: int = (await connection.execute(entry.returning(AuditEntry.id))).scalar_one()
    return number


async def add_outcome(parts: Parts, entry: int | Sequence[int], outcome: Mapping[str, str]) -> None:
    """Add what came of it. Where the database has gone, the caller still gets the answer."""
    entries = [entry] if isinstance(entry, int) else entry
    added = {"entries": list(entries), "outcome": json.dumps(dict(outcome))}
    try:
        with database_errors():
            async with parts.engine.begin() as connection:
                await connection.execute(text(ADD), added)
    except Unavailable:
        log.error("audit.outcome_lost", entries=entries, **outcome)


@asynccontextmanager
async def written_down(
    parts: Parts,
    who: Person,
    action: str,
    target: str | None,
    http: Request,
    *,
    details: Mapping[str, object] | None = None,
) -> AsyncIterator[None]:
    """Before the block, which no transaction holds; and the error that it ends by, if it does."""
    async with each_written_down(parts, who, action, http, [(target, details)]):
        yield


@asynccontextmanager
async def each_written_down(
    parts: Parts,
    who: Person,
    action: str,
    http: Request,
    targets: Sequence[tuple[str | None, Mapping[str, object] | None]],
) -> AsyncIterator[None]:
    """The same for many at once, each with its details: all of them happen in the block, or none."""
    async with parts.engine.begin() as connection:
        numbers: list[int] = []
        for target, details in targets:
            entry = entry_of(who, action, target, http, details=details)
            numbers.append((await connection.execute(entry.returning(AuditEntry.id))).scalar_one())
    try:
        yield
    except FlowNexusError as error:
        await add_outcome(parts, numbers, {"error": str(error)})
        raise
