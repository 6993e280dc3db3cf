"""The counts of wrong passwords, in the database: every replica of the api sees them, and no restart forgets them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Delete, case, delete, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api import throttle
from flownexus_api.throttle import FORGET_AFTER_S, Counted, Failures
from flownexus_schemas.tables import KnownNetwork, LoginFailure

FORGET_AFTER = timedelta(seconds=FORGET_AFTER_S)


async def wait_s(database: AsyncConnection, name: str, user_id: int | None, network: str) -> float:
    """Seconds until this account may be tried again from this network. `user_id`: None for an unknown one."""
    seen = select(KnownNetwork.user_id).where(KnownNetwork.user_id == user_id, KnownNetwork.network == network)
    ago_s = func.extract("epoch", func.now() - LoginFailure.last_at)
    counts = select(LoginFailure.kind, LoginFailure.count.label("times"), ago_s.label("ago_s")).where(
        tuple_(LoginFailure.kind, LoginFailure.key).in_([*throttle.keys_of(name, network).items()])
    )
    failures = {Counted(row.kind): Failures(row.times, float(row.ago_s)) for row in await database.execute(counts)}
    is_known = bool(failures) and user_id is not None and await database.scalar(seen) is not None
    return throttle.wait_s(failures, is_known=is_known)


async def failed(database: AsyncConnection, name: str, network: str) -> None:
    """Count a wrong password."""
    # In one order, so that two logins do not wait for each other in a circle.
    rows = sorted(throttle.keys_of(name, network).items())
    counted = insert(LoginFailure).values(
        [{"kind": kind, "key": key, "count": 1, "last_at": func.now()} for kind, key in rows]
    )
    is_long_ago = LoginFailure.last_at < func.now() - FORGET_AFTER
    await database.execute(
        counted.on_conflict_do_update(
            index_elements=[LoginFailure.kind, LoginFailure.key],
            set_={"count": case((is_long_ago, 1), else_=LoginFailure.count + 1), "last_at": func.now()},
        )
    )


async def succeeded(database: AsyncConnection, name: str, user_id: int, network: str) -> None:
    """Forget the wrong passwords of this account at this network, and know it from now on."""
    kind = Counted.ACCOUNT_AT_NETWORK
    key = throttle.keys_of(name, network)[kind]
    await database.execute(delete(LoginFailure).where(LoginFailure.kind == kind, LoginFailure.key == key))
    known = insert(KnownNetwork).values(user_id=user_id, network=network, last_login_at=func.now())
    await database.execute(
        known.on_conflict_do_update(
            index_elements=[KnownNetwork.user_id, KnownNetwork.network], set_={"last_login_at": func.now()}
        )
    )


def forgotten(user_id: int) -> Delete:
    """A user is known at no network any more: their password was reset."""
    return delete(KnownNetwork).where(KnownNetwork.user_id == user_id)
