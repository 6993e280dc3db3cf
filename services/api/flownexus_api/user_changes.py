"""Changes of users, each in the caller's transaction, over the api and by the installation alike.

Synchronous over a connection; the api runs them with `run_sync`. Whoever changes users waits for those who do so too.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, or_, select, text, update

from flownexus_api import sessions
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound
from flownexus_schemas.tables import User
from flownexus_schemas.tables.accounts import ROLES

MAX_NAME_LENGTH = 64
RESERVED = frozenset({"me"})
"""Names that mean something in a path."""


def check_name(name: str) -> None:
    """Raises InvalidRequest for what cannot be a user name."""
    if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and name == name.strip()):
        raise InvalidRequest(f"A user name has 1 to {MAX_NAME_LENGTH} printable characters and no space at either end.")
    if name in RESERVED or name in {".", ".."}:
        raise InvalidRequest(f"A user cannot be named {name!r}; take another name.")


def check_role(role: str) -> None:
    """Raises InvalidRequest."""
    if role not in ROLES:
        raise InvalidRequest(f"A role is one of {', '.join(ROLES)}.")


def lock(connection: Connection) -> None:
    """Until the end of the transaction nobody else changes users."""
    connection.execute(text(f"LOCK TABLE {User.__tablename__} IN SHARE ROW EXCLUSIVE MODE"))


def find(connection: Connection, name: str) -> Row[Any]:
    """The row of a user. Raises NotFound."""
    query = select(User.__table__).where(User.name == name)
    row = None if "\0" in name else connection.execute(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no user {name!r}.")
    return row


def create(
    connection: Connection, name: str, role: str, password_hash: str | None, *, must_change_password: bool = False
) -> Row[Any]:
    """Make a user. Raises InvalidRequest, and Conflict if the name is taken."""
    check_name(name)
    check_role(role)
    lock(connection)
    if connection.scalar(select(User.id).where(User.name == name)) is not None:
        raise Conflict(f"There is a user {name!r} already.")
    values = {"password_hash": password_hash, "must_change_password": must_change_password}
    made = insert(User).values(name=name, role=role, **values).returning(User.__table__)
    return connection.execute(made).one()


def change(connection: Connection, name: str, *, role: str | None = None, disabled: bool | None = None) -> Row[Any]:
    """Give a user another role, disable or enable them; who is disabled has no session any more.

    Raises NotFound, InvalidRequest, and Conflict where no administrator would be left.
    """
    lock(connection)
    user = find(connection, name)
    values: dict[str, object] = {}
    if role is not None:
        check_role(role)
        if user.issuer is not None and role != user.role:
            raise Conflict(f"The role of {name!r} comes from the identity provider, at each login.")
        values["role"] = role
    if disabled is not None:
        values["disabled"] = disabled
    if disabled:
        sessions.end(connection, user.id)
    if values:
        connection.execute(update(User).where(User.id == user.id).values(**values))
    _keep_an_administrator(connection)
    return find(connection, name)


def remove(connection: Connection, name: str) -> Row[Any]:
    """Delete a user with their sessions and tokens: what they were. Raises NotFound and Conflict as `change` does."""
    lock(connection)
    user = find(connection, name)
    connection.execute(delete(User).where(User.id == user.id))
    _keep_an_administrator(connection)
    return user


def set_password(
    connection: Connection, name: str, password_hash: str, *, must_change: bool, keep_session: str | None = None
) -> Row[Any]:
    """Give a user another password and end their sessions, but for one. Raises NotFound, and Conflict for a user of
    the identity provider.
    """
    lock(connection)
    user = find(connection, name)
    if user.issuer is not None:
        raise Conflict(f"{name!r} logs in at the identity provider and has no password here.")
    changed = {"password_hash": password_hash, "must_change_password": must_change}
    connection.execute(update(User).where(User.id == user.id).values(**changed))
    sessions.end(connection, user.id, but=keep_session)
    return find(connection, name)


def of_provider(connection: Connection, issuer: str, subject: str, name: str, role: str) -> tuple[Row[Any], bool]:
    """The user who is this person at the provider, with the role of now, and whether they are new.

    A name alone makes nobody the same: raises Conflict where another user has it.
    """
    lock(connection)
    same = select(User.id).where(User.issuer == issuer, User.subject == subject)
    if (known := connection.scalar(same)) is not None:
        changed = update(User).where(User.id == known).values(role=role).returning(User.__table__)
        return connection.execute(changed).one(), False
    user = create(connection, name, role, None)
    named = update(User).where(User.id == user.id).values(issuer=issuer, subject=subject).returning(User.__table__)
    return connection.execute(named).one(), True


def _keep_an_administrator(connection: Connection) -> None:
    can_log_in = or_(User.password_hash.is_not(None), User.issuer.is_not(None))
    left = select(func.count()).where(User.role == "administrator", User.disabled.is_(False), can_log_in)
    if not connection.scalar(left):
        raise Conflict("There must be an administrator who can log in; make another one first.")
