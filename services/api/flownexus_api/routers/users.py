"""The people who can log in, and the programs that have tokens: for administrators."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from urllib.parse import unquote

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select

from flownexus_api import api_tokens, login_failures, password_rules, passwords, sessions, user_changes
from flownexus_api.access import Administrator, BriefAdministrator
from flownexus_api.audit import entry_of
from flownexus_api.documented import answers
from flownexus_api.paging import cursor_of, keys_of, page_of
from flownexus_api.parts import Database, PartsDep
from flownexus_api.token_requests import TokenId, TokenRequest
from flownexus_api.user_views import (
    AccessToken,
    AccessTokens,
    Account,
    Accounts,
    EndedSessions,
    NewAccessToken,
    NewAccount,
    Role,
    access_token,
    access_tokens,
    account,
)
from flownexus_schemas.errors import Conflict, InvalidRequest
from flownexus_schemas.tables import User

router = APIRouter(prefix="/users", tags=["users"])


def _user_name(
    user: Annotated[str, Path(description="The user name, percent-encoded as one segment.", examples=["vera"])],
) -> str:
    return unquote(user)


UserName = Annotated[str, Depends(_user_name)]


class UserRequest(BaseModel):
    """A user to be made."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=user_changes.MAX_NAME_LENGTH, examples=["vera"])
    role: Role
    password: str | None = Field(
        default=None,
        max_length=passwords.MAX_LENGTH,
        description="One is made where it is left out. The user changes it at the first login either way.",
    )
    program: bool = Field(default=False, description="No login at all: an account for a program, which has tokens.")


class UserChange(BaseModel):
    """What is to be otherwise; the rest stays."""

    model_config = ConfigDict(extra="forbid")

    role: Role | None = None
    disabled: bool | None = Field(default=None, description="Nobody logs in, and tokens are refused.")


@router.get("", responses=answers(401, 403, 422, 503))
async def list_users(
    *,
    _: Administrator,
    database: Database,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Accounts:
    """All users, by name. For administrators, as are all routes here."""
    query = select(User.__table__).order_by(User.name).limit(limit + 1)
    if cursor:
        query = query.where(User.name > keys_of(cursor, "user", (str,))[0])
    rows, more = page_of((await database.execute(query)).all(), limit)
    items = [Account.model_validate(account(row)) for row in rows]
    return Accounts(items=items, next=cursor_of("user", rows[-1].name) if more else None)


@router.post("", status_code=HTTPStatus.CREATED, responses=answers(401, 403, 409, 422, 503))
async def create_user(
    *, who: BriefAdministrator, parts: PartsDep, asked: Annotated[UserRequest, Body()], http: Request
) -> NewAccount:
    """Make a user; the password that is made for them is shown once."""
    user_changes.check_name(asked.name)
    if asked.program and asked.password is not None:
        raise InvalidRequest("body.password: a program has none; leave it out.")
    chosen = None if asked.program else asked.password or passwords.generate()
    if asked.password is not None:
        await parts.turns.run(password_rules.check, asked.password, asked.name)
    hashed = None if chosen is None else await parts.turns.run(passwords.hash_password, chosen)
    async with parts.engine.begin() as database:
        row = await database.run_sync(
            user_changes.create, asked.name, asked.role, hashed, must_change_password=chosen is not None
        )
        await database.execute(entry_of(who, "user.created", asked.name, http, details={"role": asked.role}))
    return NewAccount(**account(row), password=None if asked.password is not None else chosen)


@router.get("/{user}", responses=answers(401, 403, 404, 422, 503))
async def get_user(_: Administrator, database: Database, name: UserName) -> Account:
    """One user."""
    return Account.model_validate(account(await database.run_sync(user_changes.find, name)))


@router.patch("/{user}", responses=answers(401, 403, 404, 409, 422, 503))
async def change_user(
    *, who: Administrator, database: Database, name: UserName, asked: Annotated[UserChange, Body()], http: Request
) -> Account:
    """Give a user another role, disable or enable them; in force at once, also for live sessions and tokens."""
    row = await database.run_sync(user_changes.change, name, role=asked.role, disabled=asked.disabled)
    details = asked.model_dump(exclude_none=True)
    await database.execute(entry_of(who, "user.changed", name, http, details=details))
    return Account.model_validate(account(row))


@router.delete("/{user}", responses=answers(401, 403, 404, 409, 422, 503))
async def delete_user(*, who: Administrator, database: Database, name: UserName, http: Request) -> Account:
    """Remove a user with their sessions and tokens. What they did stays in the audit."""
    row = await database.run_sync(user_changes.remove, name)
    await database.execute(entry_of(who, "user.deleted", name, http))
    return Account.model_validate(account(row))


@router.post("/{user}/password", responses=answers(401, 403, 404, 409, 422, 503))
async def reset_password(*, who: BriefAdministrator, parts: PartsDep, name: UserName, http: Request) -> NewAccount:
    """Make another password for a user, shown once and to be changed at the next login. Their sessions end."""
    chosen = passwords.generate()
    hashed = await parts.turns.run(passwords.hash_password, chosen)
    async with parts.engine.begin() as database:
        row = await database.run_sync(user_changes.set_password, name, hashed, must_change=True)
        await database.execute(login_failures.forgotten(row.id))
        await database.execute(entry_of(who, "password.reset", name, http))
    return NewAccount(**account(row), password=chosen)


@router.delete("/{user}/sessions", responses=answers(401, 403, 404, 422, 503))
async def end_sessions(*, who: Administrator, database: Database, name: UserName, http: Request) -> EndedSessions:
    """Log a user out everywhere."""
    user = await database.run_sync(user_changes.find, name)
    ended = await database.run_sync(sessions.end, user.id)
    await database.execute(entry_of(who, "sessions.ended", name, http))
    return EndedSessions(ended=ended)


@router.get("/{user}/tokens", responses=answers(401, 403, 404, 422, 503))
async def list_tokens(_: Administrator, database: Database, name: UserName) -> AccessTokens:
    """The API tokens of a user."""
    user = await database.run_sync(user_changes.find, name)
    return access_tokens(await database.run_sync(api_tokens.of_user, user.id))


@router.post("/{user}/tokens", status_code=HTTPStatus.CREATED, responses=answers(401, 403, 404, 409, 422, 503))
async def create_token(
    *, who: Administrator, database: Database, name: UserName, asked: Annotated[TokenRequest, Body()], http: Request
) -> NewAccessToken:
    """Make an API token of a program, which cannot log in to do so."""
    user = await database.run_sync(user_changes.find, name)
    if user.password_hash is not None or user.issuer is not None:
        raise Conflict(f"{name!r} can log in, and makes their own tokens.")
    made = await database.run_sync(api_tokens.create, user, asked.name, asked.scopes, asked.days)
    details = {"token": asked.name, "scopes": made.row.scopes, "expires_at": made.row.expires_at.isoformat()}
    await database.execute(entry_of(who, "token.created", name, http, details=details))
    return NewAccessToken(**made.row._mapping, token=made.token)


@router.delete("/{user}/tokens/{token}", responses=answers(401, 403, 404, 422, 503))
async def revoke_token(
    *, who: Administrator, database: Database, name: UserName, token: TokenId, http: Request
) -> AccessToken:
    """Revoke an API token of a user, in force at once."""
    user = await database.run_sync(user_changes.find, name)
    row = await database.run_sync(api_tokens.revoke, user.id, token)
    await database.execute(entry_of(who, "token.revoked", name, http, details={"token": row.name}))
    return access_token(row)
