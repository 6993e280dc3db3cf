"""Logging in, staying so, and logging out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, NamedTuple, NoReturn

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api import login_failures, passwords, sessions
from flownexus_api.access import LoggedIn, address_of
from flownexus_api.audit import entry_of
from flownexus_api.audit_entry import audit_entry
from flownexus_api.documented import answers
from flownexus_api.errors import NotAuthenticated, TooManyAttempts
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.throttle import network_of
from flownexus_schemas.tables import User

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/auth", tags=["auth"])

UNKNOWN_ADDRESS = "unknown"


class Candidate(NamedTuple):
    """A user who may log in, as far as their password is right."""

    id: int
    name: str
    password_hash: str | None


class Token(BaseModel):
    """An access token. `expires_in`: seconds. RFC 6749, 5.1."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind of token
    expires_in: int


class Renewed(BaseModel):
    """The token goes on for so many seconds. `expires_in`: seconds."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind of token
    expires_in: int


class LoggedOut(BaseModel):
    """Whose session is over."""

    name: str


@router.post("/token", responses=answers(401, 422, 429, 503))
async def get_token(http: Request, parts: PartsDep, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    """Log in with `username` and `password` as a form; the token goes into `Authorization: Bearer ...`.

    After several wrong passwords, each further try must wait (429 with Retry-After). Programs take an API token, which
    needs no login.
    """
    name, address = form.username, address_of(http) or UNKNOWN_ADDRESS
    await check_guessing(parts, name, address)
    async with parts.turns.turn():
        # Once more in the turn: what was guessed while this one waited counts.
        user = await check_guessing(parts, name, address)
        known_hash = user.password_hash if user else None
        right = await asyncio.to_thread(passwords.verify, known_hash, form.password)
        if not right or user is None or known_hash is None:
            await _refuse(parts, name, address)
        if passwords.is_outdated(known_hash):
            await _hash_anew(parts, user, form.password)
    async with parts.engine.begin() as database:
        await login_failures.succeeded(database, name, user.id, network_of(address))
        return await logged_in(parts, database, user, http)


async def check_guessing(parts: Parts, name: str, address: str) -> Candidate | None:
    """The user of a name, if there is one who may log in. Raises TooManyAttempts."""
    async with parts.engine.begin() as database:
        found = select(User.id, User.name, User.password_hash).where(User.name == name, User.disabled.is_(False))
        row = None if "\0" in name else (await database.execute(found)).one_or_none()
        user = None if row is None else Candidate(*row)
        wait_s = await login_failures.wait_s(database, name, user.id if user else None, network_of(address))
    if wait_s > 0:
        log.warning("login.throttled", name=name[:100], address=address)
        raise TooManyAttempts("Too many wrong passwords; wait and try again.", wait_s)
    return user


async def logged_in(
    parts: Parts, database: AsyncConnection, user: Candidate, http: Request, details: dict[str, object] | None = None
) -> Token:
    """Begin a session for a user who has shown who they are, and write it down. Raises NotAuthenticated."""
    address = address_of(http)
    seen = update(User).where(User.id == user.id, User.disabled.is_(False)).values(last_login_at=func.now())
    if (await database.execute(seen.returning(User.id))).one_or_none() is None:
        raise NotAuthenticated("This user was disabled or removed.")
    await database.execute(audit_entry(user.name, "login.succeeded", address=address, details=details))
    agent = http.headers.get("user-agent")
    token, good_s = await sessions.start(database, user.id, parts.session_times, address, agent)
    return Token(access_token=token, expires_in=good_s)


async def _refuse(parts: Parts, name: str, address: str) -> NoReturn:
    """Count and write down a wrong password. Raises NotAuthenticated."""
    async with parts.engine.begin() as database:
        await login_failures.failed(database, name, network_of(address))
        await database.execute(audit_entry(name.replace("\0", ""), "login.failed", address=address))
    log.warning("login.failed", name=name[:100], address=address)
    raise NotAuthenticated("The user name or the password is wrong.")


async def _hash_anew(parts: Parts, user: Candidate, password: str) -> None:
    hashed = await asyncio.to_thread(passwords.hash_password, password)
    async with parts.engine.begin() as database:
        unchanged = update(User).where(User.id == user.id, User.password_hash == user.password_hash)
        await database.execute(unchanged.values(password_hash=hashed))


@router.post("/renew", responses=answers(401, 403, 503))
async def renew_token(who: LoggedIn, parts: PartsDep, database: Database, http: Request) -> Renewed:
    """Go on with the token of this login, until FLOWNEXUS_SESSION_LIFETIME_S after it; then log in again."""
    assert who.session is not None
    good_s = await sessions.renew(database, who.session, parts.session_times)
    return Renewed(access_token=http.headers["authorization"].split(maxsplit=1)[1], expires_in=good_s)


@router.post("/logout", responses=answers(401, 403, 503))
async def log_out(who: LoggedIn, database: Database, http: Request) -> LoggedOut:
    """End this session: its token is good for nothing any more."""
    await database.run_sync(sessions.end, who.id, only=who.session)
    await database.execute(entry_of(who, "logout", None, http))
    return LoggedOut(name=who.name)
