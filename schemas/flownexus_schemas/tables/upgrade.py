"""Brings a database to the tables of this version. Run by `flownexus migrate` and at every start of the local stack."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import URL, NullPool, create_engine, make_url, text

from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.tables import audit_outcomes, audit_retention, roles, timescale

MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x464C4F574E455855
"""Advisory lock of upgrades: "FLOWNEXU"."""


def sqlalchemy_url(database_url: str) -> URL:
    """`postgresql://user:password@host:port/database` with the driver that we use. Raises ArgumentError."""
    return make_url(database_url).set(drivername="postgresql+psycopg")


def upgrade(database_url: str, retention: timedelta | None = None, audit_kept_for: timedelta | None = None) -> None:
    """Migrate to the newest revision, set up TimescaleDB where the server offers it, and give the services' roles
    what they need, all in one transaction.

    Idempotent; two at once wait for each other. `retention` (TimescaleDB only) drops readings older than that, and
    `audit_kept_for` entries of the audit; without them all is kept. PostgreSQL 15 or newer. Raises
    sqlalchemy.exc.OperationalError where the database is away.
    """
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        timescale.apply(connection, retention)
        audit_retention.apply(connection, audit_kept_for)
        audit_outcomes.apply(connection)
        roles.apply(connection)


def provide_roles(database_url: str, passwords: Mapping[DatabaseRole, str]) -> None:
    """Make the roles of the services, or give those that are there these passwords; `upgrade` gives them their rights.

    `database_url` is that of somebody who may make roles. Raises sqlalchemy.exc.OperationalError where the database is
    away, ProgrammingError where roles may not be made.
    """
    engine = create_engine(sqlalchemy_url(database_url), poolclass=NullPool)
    with engine.begin() as connection:
        connection.execute(text("select pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        roles.provide(connection, passwords)


def url_of_role(database_url: str, role: DatabaseRole, password: str) -> str:
    """The same database for a role. Raises ArgumentError."""
    changed = make_url(database_url).set(username=role.value, password=password)
    return changed.render_as_string(hide_password=False)
