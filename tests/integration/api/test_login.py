"""Logging in, and what a token is good for."""

from __future__ import annotations

import time

import httpx
import jwt
import psycopg
import pytest

from flownexus_api import accounts
from flownexus_api.tokens import Tokens

SECRET = "a secret of tests, longer than thirty-two characters"
PASSWORD = "correct horse battery"


async def log_in(client: httpx.AsyncClient, name: str, password: str) -> httpx.Response:
    return await client.post("/api/v1/auth/token", data={"username": name, "password": password})


def assert_is_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status


async def test_a_token_opens_the_door(client: httpx.AsyncClient) -> None:
    answer = await client.get("/api/v1/users/me")
    assert answer.status_code == 200
    assert answer.json() == {"name": "vera", "role": "viewer"}


async def test_a_token_lives_as_long_as_the_settings_say(anonymous: httpx.AsyncClient, database_url: str) -> None:
    accounts.add_user(database_url, "otto", "operator", PASSWORD)
    answer = (await log_in(anonymous, "otto", PASSWORD)).json()
    assert (answer["token_type"], answer["expires_in"]) == ("bearer", 900)
    claims = jwt.decode(answer["access_token"], SECRET, algorithms=["HS256"], issuer="flownexus")
    assert claims["exp"] - claims["iat"] == 900


@pytest.mark.parametrize(
    ("name", "password"), [("vera", "wrong"), ("nobody", PASSWORD), ("ve\0ra", PASSWORD), ("x", "y" * 5000)]
)
async def test_a_wrong_login_tells_nothing_but_that(client: httpx.AsyncClient, name: str, password: str) -> None:
    answer = await log_in(client, name, password)
    assert_is_problem(answer, 401)
    assert answer.json()["detail"] == "The user name or the password is wrong."


async def test_logins_are_in_the_audit(client: httpx.AsyncClient, database_url: str) -> None:
    await log_in(client, "vera", "wrong password")
    await log_in(client, "mallory", "wrong password")
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select actor, action, source_address from audit_entry where action like 'login%' order by id"
        ).fetchall()
        [(seen,)] = connection.execute("select last_login_at is not null from app_user").fetchall()
    assert found == [
        ("vera", "login.succeeded", "127.0.0.1"),
        ("vera", "login.failed", "127.0.0.1"),
        ("mallory", "login.failed", "127.0.0.1"),
    ]
    assert seen


async def test_guessing_is_slowed_down_even_for_the_right_password(client: httpx.AsyncClient) -> None:
    for _ in range(5):
        assert_is_problem(await log_in(client, "vera", "wrong password"), 401)
    answer = await log_in(client, "vera", PASSWORD)
    assert_is_problem(answer, 429)
    assert int(answer.headers["retry-after"]) >= 1


async def test_a_disabled_user_is_out_at_once(client: httpx.AsyncClient, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("update app_user set disabled = true")
    assert_is_problem(await client.get("/api/v1/users/me"), 401)
    assert_is_problem(await log_in(client, "vera", PASSWORD), 401)


def token(secret: str = SECRET, **changes: object) -> str:
    now = int(time.time())
    claims = {"iss": "flownexus", "sub": "1", "iat": now, "exp": now + 900, "auth_time": now} | changes
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, secret, "HS256")


@pytest.mark.parametrize(
    "bad",
    [
        Tokens(SECRET, 900).issue(1, time.time() - 1000)[0],
        token("another secret, that is not the one of this API"),
        token(iss="someone else"),
        token(exp=None),
        token(auth_time=None),
        token(sub="vera"),
        token(sub="99999"),
        jwt.encode({"iss": "flownexus", "sub": "1", "iat": 1, "exp": 4_000_000_000}, "", "none"),
        "nonsense",
        "",
    ],
    ids=[
        "expired",
        "other key",
        "other issuer",
        "endless",
        "of no login",
        "no id",
        "unknown user",
        "unsigned",
        "nonsense",
        "empty",
    ],
)
async def test_a_token_that_is_not_good_is_refused(client: httpx.AsyncClient, bad: str) -> None:
    answer = await client.get("/api/v1/users/me", headers={"Authorization": f"Bearer {bad}"})
    assert_is_problem(answer, 401)
    assert answer.headers["www-authenticate"] == "Bearer"
