"""A login at the identity provider comes back to the browser that began it, once and in time."""

from __future__ import annotations

from starlette.requests import Request

from flownexus_console.api_models import LoginBegun
from flownexus_console.pending_logins import LASTS_S, MOST, PendingLogins


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def browser() -> Request:
    return Request({"type": "http", "session": {}, "headers": []})


def begun(state: str = "state") -> LoginBegun:
    return LoginBegun(url="https://login.example/", state=state, nonce="nonce", code_verifier="verifier")


def test_it_comes_back_once() -> None:
    pending, mine = PendingLogins(), browser()
    pending.keep(mine, begun(), "/endpoints/a")
    found = pending.take(mine, "state")
    assert found is not None
    assert found.target == "/endpoints/a"
    assert pending.take(mine, "state") is None


def test_another_browser_or_state_finds_nothing() -> None:
    pending, mine = PendingLogins(), browser()
    pending.keep(mine, begun(), "/")
    assert pending.take(browser(), "state") is None
    assert pending.take(mine, "état") is None
    assert pending.take(mine, "state") is None


def test_its_time_is_bounded_and_so_is_memory() -> None:
    clock = Clock()
    pending, mine, first = PendingLogins(clock), browser(), browser()
    pending.keep(mine, begun(), "/")
    clock.now += LASTS_S
    assert pending.take(mine, "state") is None
    pending.keep(first, begun(), "/")
    for _ in range(MOST):
        pending.keep(browser(), begun(), "/")
    assert pending.take(first, "state") is None
