"""A token is exchanged for the next one while its owner works, and no longer than a session lasts."""

from __future__ import annotations

import time
from dataclasses import replace

import httpx
import jwt
import psycopg
import pytest

from flownexus_api import accounts
from flownexus_api.app import create_app
from flownexus_api.parts import Parts
from flownexus_api.tokens import Tokens
from flownexus_console.api_client import ApiClient
from flownexus_console.errors import SignedOut
from integration.api.conftest import PASSWORD, SECRET

HOUR_S = 3600


@pytest.fixture
def tokens(parts: Parts) -> Tokens:
    return parts.tokens


@pytest.fixture
def vera(database_url: str) -> int:
    """The id of a user."""
    accounts.add_user(database_url, "vera", "viewer", PASSWORD)
    with psycopg.connect(database_url) as connection:
        [(user_id,)] = connection.execute("select id from app_user").fetchall()
    return int(user_id)


async def renew(client: httpx.AsyncClient, token: str) -> httpx.Response:
    return await client.post("/api/v1/auth/renew", headers={"Authorization": f"Bearer {token}"})


def claims(token: str) -> dict[str, int]:
    read: dict[str, int] = jwt.decode(token, SECRET, algorithms=["HS256"], issuer="flownexus")
    return read


async def test_a_good_token_gives_the_next_one_of_the_same_login(
    anonymous: httpx.AsyncClient, tokens: Tokens, vera: int
) -> None:
    logged_in_at = int(time.time()) - HOUR_S
    old, _ = tokens.issue(vera, time.time() - 600, logged_in_at)
    answer = await renew(anonymous, old)
    assert answer.status_code == 200, answer.text
    new = answer.json()
    assert new["expires_in"] == 900
    assert claims(new["access_token"])["auth_time"] == logged_in_at
    assert claims(new["access_token"])["exp"] > claims(old)["exp"]
    me = await anonymous.get("/api/v1/users/me", headers={"Authorization": f"Bearer {new['access_token']}"})
    assert me.json()["name"] == "vera"


async def test_no_token_outlives_its_session(anonymous: httpx.AsyncClient, tokens: Tokens, vera: int) -> None:
    logged_in_at = int(time.time()) - 12 * HOUR_S + 300
    old, _ = tokens.issue(vera, time.time(), logged_in_at)
    new = (await renew(anonymous, old)).json()["access_token"]
    assert claims(new)["exp"] == logged_in_at + 12 * HOUR_S


async def test_after_a_session_one_logs_in_again(parts: Parts, vera: int) -> None:
    longer = replace(parts.tokens, session_lifetime_s=30 * HOUR_S)
    old, _ = longer.issue(vera, time.time(), int(time.time()) - 13 * HOUR_S)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(create_app(parts)), base_url="http://api") as client:
        answer = await renew(client, old)
    assert answer.status_code == 401
    assert "log in again" in answer.json()["detail"]


async def test_an_expired_token_gives_nothing(anonymous: httpx.AsyncClient, tokens: Tokens, vera: int) -> None:
    old, _ = tokens.issue(vera, time.time() - 1000)
    assert (await renew(anonymous, old)).status_code == 401


async def test_a_disabled_user_gets_no_other_token(
    anonymous: httpx.AsyncClient, tokens: Tokens, vera: int, database_url: str
) -> None:
    token, _ = tokens.issue(vera, time.time())
    with psycopg.connect(database_url) as connection:
        connection.execute("update app_user set disabled = true")
    assert (await renew(anonymous, token)).status_code == 401


async def test_the_console_goes_on_with_the_next_token(anonymous: httpx.AsyncClient, tokens: Tokens, vera: int) -> None:
    console = ApiClient(anonymous)
    old, _ = tokens.issue(vera, time.time() - 600)
    new = await console.renew(old)
    assert (await console.account(new.access_token)).name == "vera"
    with pytest.raises(SignedOut):
        await console.renew("nonsense")
