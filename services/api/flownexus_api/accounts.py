"""People who can log in, as the installation makes them: the first administrator, and users added by hand.

Synchronous, over a database URL: called by the `flownexus` command, not by the running API.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine, insert, select, text

from flownexus_api import passwords
from flownexus_api.database import CONNECT_TIMEOUT_S, database_errors, driver_url
from flownexus_schemas.errors import Conflict, InvalidRequest
from flownexus_schemas.tables import AuditEntry, User
from flownexus_schemas.tables.accounts import ROLES

FIRST_ADMINISTRATOR = "admin"
INSTALLATION = "installation"
"""The actor in the audit of what is done by someone with the database's own password."""

MAX_NAME_LENGTH = 64


def ensure_first_administrator(database_url: str) -> str | None:
    """Make the user `admin` if there is no user at all: its generated password, or None if there is one.

    Two that run at once make one. Raises Unavailable if the database is away or not migrated.
    """
    with _transaction(database_url) as connection:
        if connection.scalar(select(User.id).limit(1)) is not None:
            return None
        return _add(connection, FIRST_ADMINISTRATOR, "administrator", None)


def add_user(database_url: str, name: str, role: str, password: str | None) -> str:
    """Make a user with the role viewer, operator or administrator: its password, generated if None is given.

    Raises InvalidRequest for a name, role or password that cannot be, Conflict if the name is taken, Unavailable if
    the database is away or not migrated.
    """
    if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and name == name.strip()):
        raise InvalidRequest(f"A user name has 1 to {MAX_NAME_LENGTH} printable characters and no space at either end.")
    if role not in ROLES:
        raise InvalidRequest(f"A role is one of {', '.join(ROLES)}.")
    with _transaction(database_url) as connection:
        if connection.scalar(select(User.id).where(User.name == name)) is not None:
            raise Conflict(f"There is a user {name!r} already.")
        return _add(connection, name, role, password)


def _add(connection: Connection, name: str, role: str, password: str | None) -> str:
    chosen = passwords.generate() if password is None else password
    connection.execute(insert(User).values(name=name, password_hash=passwords.hash_password(chosen), role=role))
    connection.execute(
        insert(AuditEntry).values(actor=INSTALLATION, action="user.created", target=name, details={"role": role})
    )
    return chosen


@contextmanager
def _transaction(database_url: str) -> Iterator[Connection]:
    """One transaction in which nobody else adds a user."""
    engine = create_engine(
        driver_url(database_url), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )
    with database_errors(), engine.begin() as connection:
        connection.execute(text(f"LOCK TABLE {User.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))
        yield connection
