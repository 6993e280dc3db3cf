"""API tokens of users, each in the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, delete, func, insert, select

from flownexus_api import bearer
from flownexus_api.scopes import Scope, beyond
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound
from flownexus_schemas.tables import ApiToken, User

MAX_NAME_LENGTH = 100
MAX_DAYS = 366
DEFAULT_DAYS = 90
MAX_TOKENS = 100
"""Of one user."""

COLUMNS: tuple[Any, ...] = (
    ApiToken.id,
    ApiToken.name,
    ApiToken.scopes,
    ApiToken.created_at,
    ApiToken.expires_at,
    ApiToken.last_used_at,
    ApiToken.last_used_from,
)


class NewToken(NamedTuple):
    """A row, and the token itself, which cannot be read again."""

    row: Row[Any]
    token: str


def create(connection: Connection, user: Row[Any], name: str, scopes: Iterable[Scope], days: float) -> NewToken:
    """Make one for a user, good for so many days.

    Raises InvalidRequest, NotFound, and Conflict if the user has one of this name or too many.
    """
    wanted = sorted(set(scopes))
    if not (0 < len(name) <= MAX_NAME_LENGTH and name.isprintable() and name == name.strip()):
        raise InvalidRequest(f"A token has a name of 1 to {MAX_NAME_LENGTH} printable characters.")
    if not wanted:
        raise InvalidRequest(f"A token has at least one scope of {', '.join(Scope)}.")
    if not 0 < days <= MAX_DAYS:
        raise InvalidRequest(f"A token is good for at most {MAX_DAYS} days.")
    if unusable := beyond(wanted, user.role):
        raise InvalidRequest(f"{', '.join(unusable)}: of no use to the role {user.role}; leave it out.")
    # Held until the end of the transaction, so that two at once do not make one of the same name.
    if connection.scalar(select(User.id).where(User.id == user.id).with_for_update()) is None:
        raise NotFound(f"There is no user {user.name!r}.")
    names = set(connection.execute(select(ApiToken.name).where(ApiToken.user_id == user.id)).scalars())
    if name in names:
        raise Conflict(f"{user.name!r} has a token {name!r} already; revoke it first, or take another name.")
    if len(names) >= MAX_TOKENS:
        raise Conflict(f"{user.name!r} has {MAX_TOKENS} tokens; revoke some first.")
    token = bearer.new_token(bearer.API_TOKEN)
    made = insert(ApiToken).values(
        id=bearer.new_id(),
        token_hash=bearer.digest(token),
        user_id=user.id,
        name=name,
        scopes=wanted,
        expires_at=func.now() + timedelta(days=days),
    )
    return NewToken(connection.execute(made.returning(*COLUMNS)).one(), token)


def of_user(connection: Connection, user_id: int) -> list[Row[Any]]:
    """The tokens of a user, also those that have expired, the newest first."""
    query = select(*COLUMNS).where(ApiToken.user_id == user_id)
    return list(connection.execute(query.order_by(ApiToken.created_at.desc(), ApiToken.id)).all())


def revoke(connection: Connection, user_id: int, token_id: str) -> Row[Any]:
    """Take one away, in force at once: what it was. Raises NotFound."""
    gone = delete(ApiToken).where(ApiToken.user_id == user_id, ApiToken.id == token_id).returning(*COLUMNS)
    row = connection.execute(gone).one_or_none()
    if row is None:
        raise NotFound(f"There is no token {token_id!r}.")
    return row
