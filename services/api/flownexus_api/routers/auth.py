"""Logging in, and staying so."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated, Literal

import structlog
from fastapi import APIRouter, Depends, Request
from fastapi.security import OAuth2PasswordRequestForm
from pydantic import BaseModel
from sqlalchemy import func, insert, select, update

from flownexus_api import passwords
from flownexus_api.access import Viewer
from flownexus_api.documented import answers
from flownexus_api.errors import NotAuthenticated, TooManyAttempts
from flownexus_api.parts import PartsDep
from flownexus_schemas.tables import AuditEntry, User

log = structlog.get_logger(__name__)
router = APIRouter(prefix="/auth", tags=["auth"])

MAX_AUDITED_NAME = 100


class Token(BaseModel):
    """An access token. `expires_in`: seconds. RFC 6749, 5.1."""

    access_token: str
    token_type: Literal["bearer"] = "bearer"  # noqa: S105 - a kind of token
    expires_in: int


@router.post("/token", responses=answers(401, 422, 429, 503))
async def get_token(request: Request, parts: PartsDep, form: Annotated[OAuth2PasswordRequestForm, Depends()]) -> Token:
    """Log in with `username` and `password` as a form; the token goes into `Authorization: Bearer ...`.

    After five wrong passwords for one name from one address, each further try must wait (429 with Retry-After).
    """
    name, address = form.username, request.client.host if request.client else "unknown"
    wait_s = parts.throttle.wait_s(name, address, time.monotonic())
    if wait_s > 0:
        log.warning("login.throttled", name=name[:MAX_AUDITED_NAME], address=address)
        raise TooManyAttempts("Too many wrong passwords; wait and try again.", wait_s)
    known = "\0" not in name
    async with parts.engine.begin() as connection:
        found = select(User.id, User.password_hash).where(User.name == name, User.disabled.is_(False))
        user = (await connection.execute(found)).one_or_none() if known else None
    async with parts.hashing:
        right = await asyncio.to_thread(passwords.verify, user.password_hash if user else None, form.password)
    async with parts.engine.begin() as connection:
        await connection.execute(
            insert(AuditEntry).values(
                actor=name.replace("\0", "")[:MAX_AUDITED_NAME],
                action="login.succeeded" if right else "login.failed",
                source_address=address,
            )
        )
        if right and user:
            await connection.execute(update(User).where(User.id == user.id).values(last_login_at=func.now()))
    if not right or user is None:
        parts.throttle.failed(name, address, time.monotonic())
        log.warning("login.failed", name=name[:MAX_AUDITED_NAME], address=address)
        raise NotAuthenticated("The user name or the password is wrong.")
    parts.throttle.succeeded(name, address)
    token, good_s = parts.tokens.issue(user.id, time.time())
    return Token(access_token=token, expires_in=good_s)


@router.post("/renew", responses=answers(401, 503))
async def renew_token(who: Viewer, parts: PartsDep) -> Token:
    """A new token for one that is still good, until FLOWNEXUS_SESSION_LIFETIME_S after the login; then log in again."""
    token, good_s = parts.tokens.issue(who.id, time.time(), who.logged_in_at)
    return Token(access_token=token, expires_in=good_s)
