"""The connection to PostgreSQL, and what its errors mean to a caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from flownexus_schemas.errors import Unavailable

CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 30
"""Seconds after which the database gives up on a statement, so that no query holds a connection for good."""

NOT_MIGRATED = frozenset({"42P01", "42703", "3F000"})
"""SQLSTATE of a table, column or schema that is not there (yet)."""


def driver_url(url: str) -> URL:
    """`postgresql://...` as SQLAlchemy wants it for psycopg 3. Raises ValueError if it is not a PostgreSQL URL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ValueError("a database URL looks like postgresql://user:password@host:5432/database") from error
    if parsed.get_backend_name() not in {"postgresql", "postgres"} or not parsed.database:
        raise ValueError("a database URL looks like postgresql://user:password@host:5432/database")
    return parsed.set(drivername="postgresql+psycopg")


def create_engine(url: str, *, pool_size: int = 10) -> AsyncEngine:
    """A pool of connections, none of them opened yet; a dead one is replaced before it is used."""
    return create_async_engine(
        driver_url(url),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT_S,
        pool_pre_ping=True,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_S,
            "application_name": "flownexus-api",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_S}s -c timezone=UTC",
        },
    )


def is_unavailable(error: Exception) -> bool:
    """Whether the same statement can work later: the server is away, busy, or not migrated yet."""
    if isinstance(error, PoolTimeout | OperationalError | InterfaceError):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or getattr(error.orig, "sqlstate", None) in NOT_MIGRATED


@contextmanager
def database_errors() -> Iterator[None]:
    """Turn what `is_unavailable` recognises into Unavailable; anything else propagates."""
    try:
        yield
    except (DBAPIError, PoolTimeout) as error:
        if is_unavailable(error):
            raise Unavailable("The database is away or not migrated yet; try again shortly.") from error
        raise
