"""People who can log in, as the installation makes them: by someone with the database's own password.

Synchronous, over a database URL: called by the `flownexus` command, not by the running API.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NullPool, create_engine, select

from flownexus_api import password_rules, passwords, user_changes
from flownexus_api.audit_entry import INSTALLATION, audit_entry
from flownexus_api.database import CONNECT_TIMEOUT_S, database_errors, driver_url
from flownexus_schemas.tables import User

FIRST_ADMINISTRATOR = "admin"


def ensure_first_administrator(database_url: str) -> str | None:
    """Make the user `admin` if there is no user at all: its generated password, or None if there is one.

    Two that run at once make one. Raises Unavailable if the database is away or not migrated.
    """
    with transaction(database_url) as connection:
        user_changes.lock(connection)
        if connection.scalar(select(User.id).limit(1)) is not None:
            return None
        return _add(connection, FIRST_ADMINISTRATOR, "administrator", None, must_change_password=False)


def add_user(
    database_url: str, name: str, role: str, password: str | None, *, must_change_password: bool = False
) -> str:
    """Make a user with the role viewer, operator or administrator: its password, generated if None is given.

    Raises InvalidRequest for a name, role or password that cannot be, Conflict if the name is taken, Unavailable if
    the database is away or not migrated.
    """
    user_changes.check_name(name)
    if password is not None:
        password_rules.check(password, name)
    with transaction(database_url) as connection:
        return _add(connection, name, role, password, must_change_password=must_change_password)


def _add(connection: Connection, name: str, role: str, password: str | None, *, must_change_password: bool) -> str:
    chosen = passwords.generate() if password is None else password
    hashed = passwords.hash_password(chosen)
    user_changes.create(connection, name, role, hashed, must_change_password=must_change_password)
    connection.execute(audit_entry(INSTALLATION, "user.created", name, details={"role": role}))
    return chosen


@contextmanager
def transaction(database_url: str) -> Iterator[Connection]:
    """One transaction of the installation. Raises Unavailable if the database is away or not migrated."""
    engine = create_engine(
        driver_url(database_url), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_S}
    )
    with database_errors(), engine.begin() as connection:
        yield connection
