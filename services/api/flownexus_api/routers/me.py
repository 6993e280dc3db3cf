"""One's own account: password, logins, API tokens."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from flownexus_api import api_tokens, login_failures, password_rules, passwords, sessions, user_changes
from flownexus_api.access import Anybody, BriefLoggedIn, LoggedIn, Person, address_of
from flownexus_api.audit import entry_of
from flownexus_api.documented import answers
from flownexus_api.errors import Forbidden
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.routers.auth import UNKNOWN_ADDRESS, check_guessing
from flownexus_api.scopes import Scope
from flownexus_api.throttle import network_of
from flownexus_api.token_requests import TokenId, TokenRequest
from flownexus_api.user_views import (
    AccessToken,
    AccessTokens,
    Account,
    EndedSessions,
    LoginSession,
    LoginSessions,
    NewAccessToken,
    Role,
    access_token,
    access_tokens,
    account,
)
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound
from flownexus_schemas.tables import User

router = APIRouter(prefix="/users/me", tags=["users"])

SessionId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="As the list has it.")]


class Me(BaseModel):
    """Whose token this is, and what it is good for."""

    name: str
    role: Role
    scopes: list[Scope] = Field(description="All of them for a login.")
    api_token: str | None = Field(description="The name of the API token; null for a login.")
    must_change_password: bool


class PasswordChange(BaseModel):
    """The password of now, and the one to come."""

    model_config = ConfigDict(extra="forbid")

    current: str = Field(max_length=passwords.MAX_LENGTH)
    password: str = Field(max_length=passwords.MAX_LENGTH)


@router.get("", responses=answers(401, 503))
async def get_me(who: Anybody) -> Me:
    """The user whose token this is."""
    return Me(
        name=who.name,
        role=who.role,
        scopes=sorted(map(Scope, who.scopes)),
        api_token=who.api_token,
        must_change_password=who.must_change_password,
    )


@router.put("/password", responses=answers(401, 403, 409, 422, 429, 503))
async def change_password(
    *, who: BriefLoggedIn, parts: PartsDep, given: Annotated[PasswordChange, Body()], http: Request
) -> Account:
    """Take another password. All other logins end; API tokens stay."""
    if given.password == given.current:
        raise InvalidRequest("body.password: it is the password of now; take another one.")
    await _check_current(parts, who, given.current, address_of(http) or UNKNOWN_ADDRESS)
    await parts.turns.run(password_rules.check, given.password, who.name)
    hashed = await parts.turns.run(passwords.hash_password, given.password)
    async with parts.engine.begin() as database:
        row = await database.run_sync(
            user_changes.set_password, who.name, hashed, must_change=False, keep_session=who.session
        )
        await database.execute(entry_of(who, "password.changed", who.name, http))
    return Account.model_validate(account(row))


async def _check_current(parts: Parts, who: Person, password: str, address: str) -> None:
    """A wrong one is counted like one at the login. Raises Forbidden, Conflict, TooManyAttempts."""
    async with parts.engine.begin() as database:
        password_hash = await database.scalar(select(User.password_hash).where(User.id == who.id))
    if password_hash is None:
        raise Conflict("You log in at the identity provider: change your password there.")
    await check_guessing(parts, who.name, address)
    if await parts.turns.run(passwords.verify, password_hash, password):
        return
    async with parts.engine.begin() as database:
        await login_failures.failed(database, who.name, network_of(address))
    raise Forbidden("body.current: this is not your password of now.")


@router.get("/sessions", responses=answers(401, 403, 503))
async def list_my_sessions(who: LoggedIn, database: Database) -> LoginSessions:
    """Where one is logged in."""
    rows = await database.run_sync(sessions.of_user, who.id)
    items = [LoginSession(**row._mapping, is_this=row.id == who.session) for row in rows]
    return LoginSessions(items=items, next=None)


@router.delete("/sessions", responses=answers(401, 403, 503))
async def end_my_sessions(who: LoggedIn, database: Database, http: Request) -> EndedSessions:
    """Log out everywhere, here too."""
    ended = await database.run_sync(sessions.end, who.id)
    await database.execute(entry_of(who, "sessions.ended", who.name, http))
    return EndedSessions(ended=ended)


@router.delete("/sessions/{session}", responses=answers(401, 403, 404, 422, 503))
async def end_my_session(who: LoggedIn, database: Database, session: SessionId, http: Request) -> EndedSessions:
    """End one login."""
    ended = await database.run_sync(sessions.end, who.id, only=session)
    if not ended:
        raise NotFound(f"There is no session {session!r}; it is over.")
    await database.execute(entry_of(who, "sessions.ended", who.name, http, details={"session": session}))
    return EndedSessions(ended=ended)


@router.get("/tokens", responses=answers(401, 403, 503))
async def list_my_tokens(who: LoggedIn, database: Database) -> AccessTokens:
    """One's own API tokens."""
    return access_tokens(await database.run_sync(api_tokens.of_user, who.id))


@router.post("/tokens", status_code=201, responses=answers(401, 403, 409, 422, 503))
async def create_my_token(
    *, who: LoggedIn, database: Database, asked: Annotated[TokenRequest, Body()], http: Request
) -> NewAccessToken:
    """Make an API token: for programs, good for its scopes as far as one's own role goes, and shown once."""
    user = await database.run_sync(user_changes.find, who.name)
    made = await database.run_sync(api_tokens.create, user, asked.name, asked.scopes, asked.days)
    details = {"token": asked.name, "scopes": made.row.scopes, "expires_at": made.row.expires_at.isoformat()}
    await database.execute(entry_of(who, "token.created", who.name, http, details=details))
    return NewAccessToken(**made.row._mapping, token=made.token)


@router.delete("/tokens/{token}", responses=answers(401, 403, 404, 422, 503))
async def revoke_my_token(who: LoggedIn, database: Database, token: TokenId, http: Request) -> AccessToken:
    """Revoke an API token, in force at once."""
    row = await database.run_sync(api_tokens.revoke, who.id, token)
    await database.execute(entry_of(who, "token.revoked", who.name, http, details={"token": row.name}))
    return access_token(row)
