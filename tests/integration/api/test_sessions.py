"""A login goes on while its owner works, ends when they say so, and lasts no longer than it may."""

from __future__ import annotations

from dataclasses import replace

import httpx
import psycopg
import pytest

from flownexus_api import accounts
from flownexus_api.app import create_app
from flownexus_api.parts import Parts
from flownexus_api.sessions import SessionTimes
from flownexus_console.api_client import ApiClient
from flownexus_console.errors import SignedOut
from integration.api.conftest import PASSWORD

HOUR_S = 3600


@pytest.fixture(autouse=True)
def vera(database_url: str) -> None:
    accounts.add_user(database_url, "vera", "viewer", PASSWORD)


class Login(httpx.AsyncClient):
    """A client of its own login, which a test can make older than it is."""

    def __init__(self, parts: Parts, database_url: str) -> None:
        super().__init__(transport=httpx.ASGITransport(create_app(parts)), base_url="http://api/api/v1")
        self.database_url = database_url

    async def log_in(self) -> Login:
        answer = await self.post("/auth/token", data={"username": "vera", "password": PASSWORD})
        self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return self

    def grow_older(self, seconds: int) -> None:
        with psycopg.connect(self.database_url) as connection:
            connection.execute(
                "update app_session set expires_at = expires_at - %(s)s * interval '1 s', "
                "ends_at = ends_at - %(s)s * interval '1 s', created_at = created_at - %(s)s * interval '1 s'",
                {"s": seconds},
            )

    async def is_good(self) -> bool:
        return (await self.get("/users/me")).status_code == 200


@pytest.fixture
async def login(parts: Parts, database_url: str) -> Login:
    return await Login(parts, database_url).log_in()


@pytest.fixture
async def other(parts: Parts, database_url: str, login: Login) -> Login:
    """A second login of the same user."""
    return await Login(parts, database_url).log_in()


async def test_a_token_that_is_renewed_goes_on(login: Login) -> None:
    login.grow_older(600)
    answer = await login.post("/auth/renew")
    assert answer.status_code == 200, answer.text
    assert f"Bearer {answer.json()['access_token']}" == login.headers["authorization"]
    assert answer.json()["expires_in"] in {899, 900}
    login.grow_older(600)
    assert await login.is_good()


async def test_a_token_that_is_not_renewed_ends(login: Login) -> None:
    login.grow_older(901)
    assert not await login.is_good()
    assert (await login.post("/auth/renew")).status_code == 401


async def test_no_renewal_outlives_the_session(login: Login, parts: Parts) -> None:
    for _ in range(60):
        login.grow_older(720)
        answer = await login.post("/auth/renew")
        if answer.status_code != 200 or answer.json()["expires_in"] < 800:
            break
    assert answer.status_code == 200
    assert answer.json()["expires_in"] < 800
    login.grow_older(answer.json()["expires_in"] + 1)
    assert (await login.post("/auth/renew")).status_code == 401


async def test_the_settings_say_how_long(parts: Parts, database_url: str) -> None:
    short = replace(parts, session_times=SessionTimes(lifetime_s=900, longest_s=120))
    login = await Login(short, database_url).log_in()
    assert (await login.post("/auth/renew")).json()["expires_in"] <= 120
    login.grow_older(121)
    assert not await login.is_good()


async def test_after_logging_out_the_token_is_worth_nothing_and_other_logins_go_on(login: Login, other: Login) -> None:
    assert (await login.post("/auth/logout")).json() == {"name": "vera"}
    assert not await login.is_good()
    assert await other.is_good()


async def test_one_logs_out_everywhere(login: Login, other: Login) -> None:
    listed = (await login.get("/users/me/sessions")).json()["items"]
    assert [one["is_this"] for one in listed] == [False, True]
    assert (await login.delete("/users/me/sessions")).json() == {"ended": 2}
    assert not await login.is_good()
    assert not await other.is_good()


async def test_one_login_of_several_is_ended(login: Login, other: Login) -> None:
    [theirs] = [one["id"] for one in (await login.get("/users/me/sessions")).json()["items"] if not one["is_this"]]
    assert (await login.delete(f"/users/me/sessions/{theirs}")).json() == {"ended": 1}
    assert await login.is_good()
    assert not await other.is_good()
    assert (await login.delete(f"/users/me/sessions/{theirs}")).status_code == 404


async def test_a_changed_password_ends_the_other_logins(login: Login, other: Login) -> None:
    change = {"current": PASSWORD, "password": "quite another pass phrase"}
    assert (await login.put("/users/me/password", json=change)).status_code == 200
    assert await login.is_good()
    assert not await other.is_good()
    form = {"username": "vera", "password": PASSWORD}
    assert (await login.post("/auth/token", data=form)).status_code == 401
    assert (await login.post("/auth/token", data=form | {"password": change["password"]})).status_code == 200


async def test_a_password_is_not_changed_without_the_one_of_now(login: Login) -> None:
    change = {"current": "not the password of vera", "password": "quite another pass phrase"}
    for _ in range(5):
        assert (await login.put("/users/me/password", json=change)).status_code == 403
    assert (await login.put("/users/me/password", json=change)).status_code == 429


async def test_a_disabled_user_is_not_renewed(login: Login, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("update app_user set disabled = true")
    assert (await login.post("/auth/renew")).status_code == 401


async def test_the_console_goes_on_with_the_token(login: Login, anonymous: httpx.AsyncClient) -> None:
    console = ApiClient(anonymous)
    token = login.headers["authorization"].removeprefix("Bearer ")
    renewed = await console.renew(token)
    assert (await console.account(renewed.access_token)).name == "vera"
    with pytest.raises(SignedOut):
        await console.renew("nonsense")
