"""Who is signed in, and where a login may lead."""

from __future__ import annotations

import asyncio

import pytest
from starlette.requests import Request

from flownexus_console.api_models import AccessToken, Account
from flownexus_console.session import Sessions, login_address, safe_target, to_login

TOKEN = AccessToken(access_token="token", expires_in=900)
ADA = Account(name="ada", role="viewer")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def request(session_id: str = "before", path: str = "/", query: bytes = b"") -> Request:
    return Request(
        {
            "type": "http",
            "method": "GET",
            "scheme": "http",
            "server": ("console", 80),
            "path": path,
            "query_string": query,
            "headers": [],
            "session": {"id": session_id},
        }
    )


def test_a_browser_is_signed_in_under_a_new_session_id() -> None:
    sessions, browser = Sessions(), request("planted")
    sessions.start(browser, TOKEN, ADA)
    assert browser.session["id"] != "planted"
    signed_in = sessions.of(browser)
    assert signed_in is not None
    assert signed_in.account == ADA
    assert sessions.of(request("planted")) is None


def test_a_session_ends_with_its_token() -> None:
    clock = Clock()
    sessions, browser = Sessions(clock), request()
    sessions.start(browser, TOKEN, ADA)
    clock.now += 899
    assert sessions.of(browser) is not None
    clock.now += 1
    assert sessions.of(browser) is None
    assert "expired=1" in to_login(browser).headers["location"]


class Renewals:
    """Stands for the API: counts what it was asked, and answers when let."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.open = asyncio.Event()

    async def __call__(self, token: str) -> AccessToken:
        self.asked.append(token)
        await self.open.wait()
        return AccessToken(access_token=f"{token}+", expires_in=900)


async def test_a_token_is_renewed_when_half_of_its_time_is_gone_and_the_session_goes_on() -> None:
    clock, renewals = Clock(), Renewals()
    renewals.open.set()
    sessions, browser = Sessions(clock), request()
    sessions.start(browser, TOKEN, ADA)
    session = sessions.of(browser)
    assert session is not None
    clock.now += 449
    await sessions.keep(session, renewals)
    assert renewals.asked == []
    for later_s in (2, 451, 451):
        clock.now += later_s
        await sessions.keep(session, renewals)
    assert renewals.asked == ["token", "token+", "token++"]
    assert session.token == "token+++"
    assert sessions.of(browser) is session


async def test_two_pages_of_a_session_renew_its_token_once() -> None:
    clock, renewals = Clock(), Renewals()
    sessions, browser = Sessions(clock), request()
    sessions.start(browser, TOKEN, ADA)
    session = sessions.of(browser)
    assert session is not None
    clock.now += 500
    first = asyncio.create_task(sessions.keep(session, renewals))
    await asyncio.sleep(0)
    await sessions.keep(session, renewals)
    renewals.open.set()
    await first
    assert renewals.asked == ["token"]


async def test_a_session_that_ended_is_not_renewed() -> None:
    clock, renewals = Clock(), Renewals()
    sessions, browser = Sessions(clock), request()
    sessions.start(browser, TOKEN, ADA)
    session = sessions.of(browser)
    assert session is not None
    sessions.end(browser)
    clock.now += 500
    await sessions.keep(session, renewals)
    assert renewals.asked == []


def test_a_signed_out_browser_has_no_session() -> None:
    sessions, browser = Sessions(), request()
    sessions.start(browser, TOKEN, ADA)
    open_page = sessions.of(browser)
    assert open_page is not None
    assert sessions.lasts(open_page)
    sessions.end(browser)
    assert sessions.of(browser) is None
    assert not sessions.lasts(open_page)
    assert "expired" not in to_login(browser).headers["location"]


def test_a_browser_of_before_a_restart_is_told_that_its_session_has_ended() -> None:
    browser = request()
    Sessions().start(browser, TOKEN, ADA)
    assert Sessions().of(browser) is None
    assert "expired=1" in to_login(browser).headers["location"]


@pytest.mark.parametrize("target", ["/", "/endpoints/a%2Fb?x=1", "/?q=sensor&status=online"])
def test_a_login_leads_back_to_pages_of_the_console(target: str) -> None:
    assert safe_target(target) == target


@pytest.mark.parametrize(
    "target",
    ["https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "javascript:alert(1)", "",
     "evil", "/\t/evil.example", "/\n/evil.example", "/\r\nLocation: x"],
)  # fmt: skip
def test_a_login_leads_nowhere_else(target: str) -> None:
    assert safe_target(target) == "/"


def test_the_login_page_knows_where_the_browser_was() -> None:
    response = to_login(request(path="/endpoints/a", query=b"x=1"))
    assert response.status_code == 303
    assert response.headers["location"] == "/login?next=%2Fendpoints%2Fa%3Fx%3D1"
    assert login_address("/", expired=True) == "/login?expired=1&next=%2F"
