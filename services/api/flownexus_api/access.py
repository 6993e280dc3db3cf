"""Who asks, and whether they may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from fastapi import Depends
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.errors import Forbidden, NotAuthenticated
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_schemas.tables import User
from flownexus_schemas.tables.accounts import ROLES

TOKEN_PATH = "/api/v1/auth/token"  # noqa: S105 - a path, not a secret

_bearer = OAuth2PasswordBearer(TOKEN_PATH, auto_error=False, description="An access token of POST /api/v1/auth/token.")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who is logged in, since `logged_in_at` (Unix seconds) and until `expires_at`."""

    id: int
    name: str
    role: str
    expires_at: datetime
    logged_in_at: int


async def person(parts: PartsDep, database: Database, token: Annotated[str | None, Depends(_bearer)] = None) -> Person:
    """The owner of the token, as they are now: a disabled or removed user is out at once. Raises NotAuthenticated."""
    return await _owner(parts, database, token)


async def _owner(parts: Parts, database: AsyncConnection, token: str | None) -> Person:
    if token is None:
        raise NotAuthenticated(f"Send an access token as 'Authorization: Bearer ...'; POST {TOKEN_PATH} gives one.")
    claims = parts.tokens.read(token)
    row = (
        await database.execute(select(User.name, User.role).where(User.id == claims.user_id, User.disabled.is_(False)))
    ).one_or_none()
    if row is None:
        raise NotAuthenticated("This user was disabled or removed.")
    return Person(claims.user_id, row.name, row.role, claims.expires_at, claims.logged_in_at)


def at_least(role: str) -> Callable[[Person], Person]:
    """A dependency that lets through this role and those above it. Raises Forbidden."""

    def allowed(who: Annotated[Person, Depends(person, scope="function")]) -> Person:
        return _ranked(who, role)

    return allowed


def _ranked(who: Person, role: str) -> Person:
    if ROLES.index(who.role) < ROLES.index(role):
        raise Forbidden(f"This needs the role {role}; yours is {who.role}.")
    return who


def _briefly(role: str) -> Callable[[Parts, str | None], Awaitable[Person]]:
    async def allowed(parts: PartsDep, token: Annotated[str | None, Depends(_bearer)] = None) -> Person:
        async with parts.engine.begin() as database:
            return _ranked(await _owner(parts, database, token), role)

    return allowed


Viewer = Annotated[Person, Depends(at_least("viewer"))]
BriefViewer = Annotated[Person, Depends(_briefly("viewer"))]
BriefOperator = Annotated[Person, Depends(_briefly("operator"))]
BriefAdministrator = Annotated[Person, Depends(_briefly("administrator"))]
"""For a route that waits for a device or for NATS: no connection to the database is held meanwhile."""
