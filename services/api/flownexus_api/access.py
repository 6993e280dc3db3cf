"""Who asks, and whether they may.

A route names what it requires by the type of a parameter (`who: Viewer`). What each requires is also in REQUIRED, from
which the page about access is written.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api import bearer
from flownexus_api.errors import Forbidden, NotAuthenticated
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.scopes import Scope, is_at_least
from flownexus_schemas.tables import ApiToken, Session, User

log = structlog.get_logger(__name__)

TOKEN_PATH = "/api/v1/auth/token"  # noqa: S105 - a path, not a secret

_bearer = OAuth2PasswordBearer(
    TOKEN_PATH, auto_error=False, description="An access token of POST /api/v1/auth/token, or an API token."
)
Bearer = Annotated[str | None, Depends(_bearer)]


MAX_ADDRESS = 100
"""Characters: what a proxy says is not always an address."""


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody known until `expires_at`: by a login (`session` is its id), or by the API token named `api_token`."""

    id: int
    name: str
    role: str
    expires_at: datetime
    session: str | None = None
    api_token: str | None = None
    scopes: frozenset[str] = frozenset(Scope)
    must_change_password: bool = False


@dataclass(frozen=True, slots=True)
class Required:
    """What a route requires. Without a scope any token will do; `by_session`: an API token will not."""

    role: str
    scope: Scope | None
    by_session: bool = False

    def check(self, who: Person) -> Person:
        """Raises Forbidden, which is in the log."""
        try:
            self.allow(who)
        except Forbidden as refusal:
            log.warning("access.refused", name=who.name, api_token=who.api_token, reason=str(refusal))
            raise
        return who

    def allow(self, who: Person) -> None:
        """Raises Forbidden."""
        if self.by_session and who.session is None:
            raise Forbidden("This needs a login; an API token is not enough.")
        if self.scope is not None:
            if who.must_change_password:
                raise Forbidden("Change your password first: PUT /api/v1/users/me/password.")
            if self.scope not in who.scopes:
                raise Forbidden(f"This needs the scope {self.scope}; the token has {', '.join(sorted(who.scopes))}.")
        if not is_at_least(who.role, self.role):
            raise Forbidden(f"This needs the role {self.role}; yours is {who.role}.")


REQUIRED: dict[Callable[..., Any], Required] = {}
"""What the dependencies of this module require."""


async def identify(parts: Parts, database: AsyncConnection, token: str | None, address: str | None) -> Person:
    """The owner of the token, as they are now: a disabled or removed user is out at once. Raises NotAuthenticated.

    `address`: where an API token is used from.
    """
    if token is None:
        raise NotAuthenticated(f"Send a token as 'Authorization: Bearer ...'; POST {TOKEN_PATH} gives one.")
    who = await (_by_api_token if token.startswith(bearer.API_TOKEN) else _by_session)(database, bearer.digest(token))
    if who is None:
        raise NotAuthenticated("The token is not known, has expired or was revoked; get a new one.")
    if who.api_token is not None:
        parts.last_uses.note(bearer.digest(token), address)
    return who


async def _by_session(database: AsyncConnection, digest: bytes) -> Person | None:
    query = (
        select(
            User.id, User.name, User.role, User.must_change_password, Session.expires_at, Session.id.label("session")
        )
        .join(User, User.id == Session.user_id)
        .where(Session.token_hash == digest, Session.expires_at > func.now(), User.disabled.is_(False))
    )
    row = (await database.execute(query)).one_or_none()
    return None if row is None else Person(**row._mapping)


async def _by_api_token(database: AsyncConnection, digest: bytes) -> Person | None:
    query = (
        select(User.id, User.name, User.role, ApiToken.expires_at, ApiToken.name.label("api_token"), ApiToken.scopes)
        .join(User, User.id == ApiToken.user_id)
        .where(ApiToken.token_hash == digest, ApiToken.expires_at > func.now(), User.disabled.is_(False))
    )
    row = (await database.execute(query)).one_or_none()
    return None if row is None else Person(**{**row._mapping, "scopes": frozenset(row.scopes)})


def address_of(http: Request) -> str | None:
    """Where a request comes from; what a trusted proxy says of it is in there already."""
    return http.client.host[:MAX_ADDRESS] if http.client else None


def _holding(required: Required) -> Callable[..., Awaitable[Person]]:
    """In the request's one transaction."""

    async def allowed(parts: PartsDep, database: Database, http: Request, token: Bearer = None) -> Person:
        return required.check(await identify(parts, database, token, address_of(http)))

    REQUIRED[allowed] = required
    return allowed


def _briefly(required: Required) -> Callable[..., Awaitable[Person]]:
    """For a route that waits for a device or for NATS: no connection to the database is held meanwhile."""

    async def allowed(parts: PartsDep, http: Request, token: Bearer = None) -> Person:
        async with parts.engine.begin() as database:
            return required.check(await identify(parts, database, token, address_of(http)))

    REQUIRED[allowed] = required
    return allowed


READING = Required("viewer", Scope.READ)
"""What reading anything about devices requires."""

_OWN = Required("viewer", None, by_session=True)

Viewer = Annotated[Person, Depends(_holding(READING))]
BriefViewer = Annotated[Person, Depends(_briefly(READING))]
BriefOperator = Annotated[Person, Depends(_briefly(Required("operator", Scope.OPERATE)))]
ConfiguringOperator = Annotated[Person, Depends(_briefly(Required("operator", Scope.CONFIGURE)))]
ConfiguringAdministrator = Annotated[Person, Depends(_briefly(Required("administrator", Scope.CONFIGURE)))]
FirmwareOperator = Annotated[Person, Depends(_briefly(Required("operator", Scope.FIRMWARE)))]
CredentialsAdministrator = Annotated[Person, Depends(_briefly(Required("administrator", Scope.CREDENTIALS)))]
BriefAdministrator = Annotated[Person, Depends(_briefly(Required("administrator", Scope.ADMINISTER)))]
Administrator = Annotated[Person, Depends(_holding(Required("administrator", Scope.ADMINISTER)))]

Anybody = Annotated[Person, Depends(_holding(Required("viewer", None)))]
"""Whose token is good, whatever it is good for."""

LoggedIn = Annotated[Person, Depends(_holding(_OWN))]
BriefLoggedIn = Annotated[Person, Depends(_briefly(_OWN))]
"""Somebody who manages their own account: not by an API token, which could else make itself another."""
