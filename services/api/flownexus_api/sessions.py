"""Logins and how long they last. ASVS 5.0, V7."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api import bearer
from flownexus_api.errors import NotAuthenticated
from flownexus_schemas.tables import Session

LIFETIME_S = 900
LONGEST_S = 12 * 3600
MAX_USER_AGENT = 200

COLUMNS: tuple[Any, ...] = (
    Session.id,
    Session.created_at,
    Session.renewed_at,
    Session.expires_at,
    Session.source_address,
    Session.user_agent,
)


@dataclass(frozen=True, slots=True)
class SessionTimes:
    """A session is good for `lifetime_s` after its login or renewal, and no longer than `longest_s` in all. Seconds."""

    lifetime_s: int = LIFETIME_S
    longest_s: int = LONGEST_S


async def start(
    database: AsyncConnection, user_id: int, times: SessionTimes, address: str | None, user_agent: str | None
) -> tuple[str, int]:
    """Begin one: its token, and the seconds for which that is good."""
    token = bearer.new_token(bearer.SESSION)
    good_s = min(times.lifetime_s, times.longest_s)
    session = insert(Session).values(
        id=bearer.new_id(),
        token_hash=bearer.digest(token),
        user_id=user_id,
        expires_at=func.now() + timedelta(seconds=good_s),
        ends_at=func.now() + timedelta(seconds=times.longest_s),
        source_address=address,
        user_agent=None if user_agent is None else user_agent.replace("\0", "")[:MAX_USER_AGENT],
    )
    await database.execute(session)
    return token, good_s


async def renew(database: AsyncConnection, session: str, times: SessionTimes) -> int:
    """Go on with one from now: the seconds for which its token is good. Raises NotAuthenticated where it is over."""
    until = func.least(func.now() + timedelta(seconds=times.lifetime_s), Session.ends_at)
    renewed = (
        update(Session)
        .where(Session.id == session)
        .values(renewed_at=func.now(), expires_at=until)
        .returning(func.extract("epoch", Session.expires_at - func.now()))
    )
    good_s = int((await database.execute(renewed)).scalar_one_or_none() or 0)
    if good_s <= 0:
        raise NotAuthenticated("This session has lasted as long as it may; log in again.")
    return good_s


def end(connection: Connection, user_id: int, *, only: str | None = None, but: str | None = None) -> int:
    """End the sessions of a user, `only` one of them or all `but` one: how many were still good."""
    ended = delete(Session).where(Session.user_id == user_id)
    if only is not None:
        ended = ended.where(Session.id == only)
    if but is not None:
        ended = ended.where(Session.id != but)
    good = ended.returning(Session.expires_at > func.now())
    return sum(connection.execute(good).scalars())


def of_user(connection: Connection, user_id: int) -> list[Row[Any]]:
    """The sessions of a user that are good, the newest first."""
    query = select(*COLUMNS).where(Session.user_id == user_id, Session.expires_at > func.now())
    return list(connection.execute(query.order_by(Session.created_at.desc(), Session.id)).all())
