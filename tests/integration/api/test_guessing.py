"""Guesses of a password, over all replicas of the api, by strangers and by the user."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import psycopg
import pytest

from flownexus_api import login_failures
from flownexus_api.database import create_engine
from flownexus_api.housekeeping import tidy
from flownexus_api.parts import Parts
from flownexus_api.throttle import FREE_FAILURES, Counted
from flownexus_schemas.tables.upgrade import upgrade
from integration.api.callers import PASSWORD, Callers

AGE = """
update login_failure set last_at = last_at - interval '2 h';
insert into app_session
    select 'over', 'x', user_id, created_at, renewed_at, now(), ends_at, null, null from app_session;
insert into known_network select user_id, 'old', now() - interval '91 d' from known_network;
update audit_entry set time = now() - interval '31 d' where action = 'user.created';
"""
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"


@pytest.fixture
async def replica(parts: Parts, database_url: str) -> AsyncIterator[Callers]:
    """Another process of the api, as far as the database is what they share."""
    engine = create_engine(database_url)
    yield Callers(Parts(engine=engine, bus=parts.bus, models=parts.models), database_url)
    await engine.dispose()


async def attempt(callers: Callers, password: str, address: str = HOME, name: str = "vera") -> httpx.Response:
    return await callers.nobody(address).post("/auth/token", data={"username": name, "password": password})


async def count(parts: Parts, times: int, name: str, network: str) -> None:
    """Wrong passwords, without the work of checking them."""
    async with parts.engine.begin() as database:
        for _ in range(times):
            await login_failures.failed(database, name, network)


async def test_guesses_at_one_replica_count_at_the_others(callers: Callers, replica: Callers) -> None:
    callers.add("viewer", "vera")
    for one in (callers, replica, callers, replica, callers):
        assert (await attempt(one, "a wrong password")).status_code == 401
    for one in (callers, replica):
        answer = await attempt(one, PASSWORD)
        assert answer.status_code == 429
        assert int(answer.headers["retry-after"]) >= 1


async def test_the_wait_passes_and_the_right_password_forgets(callers: Callers, database_url: str) -> None:
    callers.add("viewer", "vera")
    for _ in range(5):
        await attempt(callers, "a wrong password")
    with psycopg.connect(database_url) as connection:
        connection.execute("update login_failure set last_at = last_at - interval '2 s'")
    assert (await attempt(callers, PASSWORD)).status_code == 200
    for _ in range(4):
        assert (await attempt(callers, "a wrong password")).status_code == 401
    assert (await attempt(callers, PASSWORD)).status_code == 200


async def test_strangers_do_not_lock_a_user_out_from_where_they_logged_in_before(
    callers: Callers, parts: Parts
) -> None:
    await callers.log_in(callers.add("viewer", "vera"), address=HOME)
    for number in range(FREE_FAILURES[Counted.ACCOUNT] + 8):
        await count(parts, 1, "vera", f"203.0.113.{number}")
    assert (await attempt(callers, PASSWORD, ELSEWHERE)).status_code == 429
    assert (await attempt(callers, PASSWORD, HOME)).status_code == 200


async def test_one_password_tried_on_many_names_is_slowed_down(callers: Callers, parts: Parts) -> None:
    callers.add("viewer", "vera")
    for number in range(FREE_FAILURES[Counted.NETWORK] + 6):
        await count(parts, 1, f"name-{number}", ELSEWHERE)
    assert (await attempt(callers, PASSWORD, ELSEWHERE)).status_code == 429
    assert (await attempt(callers, PASSWORD, HOME)).status_code == 200


async def test_names_that_are_not_there_are_slowed_down_alike(callers: Callers) -> None:
    statuses = [(await attempt(callers, "a password", name="nobody")).status_code for _ in range(6)]
    assert statuses == [401, 401, 401, 401, 401, 429]


async def test_what_means_nothing_any_more_is_tidied_away(callers: Callers, parts: Parts, database_url: str) -> None:
    await callers.log_in(callers.add("viewer", "vera"))
    await count(parts, 1, "old", ELSEWHERE)
    with psycopg.connect(database_url) as connection:
        connection.execute(AGE)
    await count(parts, 1, "new", HOME)
    upgrade(database_url, audit_kept_for=timedelta(days=30))
    await tidy(parts.engine)
    with psycopg.connect(database_url) as connection:
        left = {
            table: connection.execute(f"select count(*) from {table}").fetchall()[0][0]
            for table in ("login_failure", "app_session", "known_network", "audit_entry")
        }
    assert left == {"login_failure": 3, "app_session": 1, "known_network": 1, "audit_entry": 1}
