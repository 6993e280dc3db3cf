"""Who may do what in the database: a role a service, each with the tables that it writes and no other.

The owner of the tables migrates them, and serves nobody. PostgreSQL: Privileges; roles belong to the whole server.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sqlalchemy import Connection, text
from sqlalchemy.engine.interfaces import Dialect

from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.tables import accounts
from flownexus_schemas.tables.audit_outcomes import ADD_OUTCOME
from flownexus_schemas.tables.audit_retention import FORGET_AUDIT
from flownexus_schemas.tables.base import Base
from flownexus_schemas.tables.operations import Firmware

PEOPLE = accounts.__name__


SHOWN_OF_API = frozenset({Firmware.__tablename__})
"""What the api writes and Grafana may read."""

WRITTEN_BY_API = SHOWN_OF_API | {table.__tablename__ for table in Base.__subclasses__() if table.__module__ == PEOPLE}
"""What is of people, and images. All other tables are projections, which ingest alone writes."""

WRITTEN_ONCE = frozenset({accounts.AuditEntry.__tablename__})
"""What the api adds to, and neither changes nor deletes."""

_ALEMBIC = "alembic_version"


def apply(connection: Connection) -> None:
    """Give each role that the server has what it needs, and take away what it had beyond that. Idempotent."""
    quote = _quoting(connection.dialect)
    tables = {table.name for table in Base.metadata.sorted_tables}
    views = set(connection.scalars(text("select viewname from pg_views where schemaname = current_schema")))
    written = {
        DatabaseRole.INGEST: tables - WRITTEN_BY_API,
        DatabaseRole.API: tables & WRITTEN_BY_API,
        DatabaseRole.GRAFANA: set(),
    }
    read = {
        DatabaseRole.INGEST: tables - WRITTEN_BY_API,
        DatabaseRole.API: tables | views | {_ALEMBIC},
        DatabaseRole.GRAFANA: (tables - WRITTEN_BY_API) | views | (tables & SHOWN_OF_API),
    }
    known = set(connection.scalars(text("select rolname from pg_roles where rolname like 'flownexus\\_%'")))
    for role in (role for role in DatabaseRole if role in known):
        name = quote(role)
        connection.execute(text(f"revoke all on all tables in schema public from {name}"))
        connection.execute(text(f"grant usage on schema public to {name}"))
        connection.execute(text(f"grant select on {', '.join(map(quote, sorted(read[role])))} to {name}"))
        if added := sorted(written[role]):
            connection.execute(text(f"grant insert on {', '.join(map(quote, added))} to {name}"))
        if changed := sorted(written[role] - WRITTEN_ONCE):
            connection.execute(text(f"grant update, delete on {', '.join(map(quote, changed))} to {name}"))
    if DatabaseRole.API in known:
        api = quote(DatabaseRole.API)
        connection.execute(text(f"grant execute on function {FORGET_AUDIT}() to {api}"))
        connection.execute(text(f"grant execute on function {ADD_OUTCOME}(bigint[], jsonb) to {api}"))


def provide(connection: Connection, passwords: Mapping[DatabaseRole, str]) -> None:
    """Make the roles, or give those that are there these passwords. Needs the right to make roles."""
    quote = _quoting(connection.dialect)
    known = set(connection.scalars(text("select rolname from pg_roles")))
    for role, password in passwords.items():
        verb = "alter" if role in known else "create"
        # A statement about roles takes no parameters; the server quotes the password for us.
        quoted = text("select quote_literal(cast(:password as text))")
        literal: str = connection.execute(quoted, {"password": password}).scalar_one()
        connection.exec_driver_sql(f"{verb} role {quote(role)} login password {_escaped(literal)}")


def _escaped(literal: str) -> str:
    """For the driver, to which a percent sign is a parameter."""
    return literal.replace("%", "%%")


def _quoting(dialect: Dialect) -> Callable[[str], str]:
    return dialect.identifier_preparer.quote
