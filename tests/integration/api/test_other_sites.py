"""What a browser lets pages of other sites do with the API, and which address a request is taken to come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest

from flownexus_api import accounts
from flownexus_api.app import create_app
from flownexus_api.parts import Parts
from integration.api.callers import PASSWORD, Callers

if TYPE_CHECKING:
    from conftest import ServiceFactory

LISTED, OTHER = "https://my.example", "https://evil.example"


def browser(parts: Parts, *origins: str, base_url: str = "http://api") -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(parts, cors_origins=origins))
    return httpx.AsyncClient(transport=transport, base_url=base_url)


async def preflight(client: httpx.AsyncClient, origin: str) -> httpx.Response:
    asked = {"Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "authorization,content-type"}
    return await client.options("/api/v1/profiles/x", headers={"Origin": origin, **asked})


async def test_without_a_list_no_other_page_may_ask(parts: Parts) -> None:
    async with browser(parts) as client:
        for answer in (
            await preflight(client, OTHER),
            await client.get("/api/v1/endpoints", headers={"Origin": OTHER}),
        ):
            assert not [name for name in answer.headers if name.startswith("access-control")]


async def test_listed_pages_may_ask_and_others_not(parts: Parts) -> None:
    async with browser(parts, LISTED) as client:
        allowed = await preflight(client, LISTED)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == LISTED
        assert "PUT" in allowed.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in allowed.headers
        assert "access-control-allow-origin" not in (await preflight(client, OTHER)).headers
        answer = await client.get("/api/v1/endpoints", headers={"Origin": LISTED})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, LISTED)


async def test_no_cookie_opens_the_door(callers: Callers) -> None:
    token = (await callers.of_role("viewer")).headers["authorization"].removeprefix("Bearer ")
    cookies = f"access_token={token}; flownexus_console={token}; session={token}"
    answer = await callers.nobody().get("/users/me", headers={"Cookie": cookies})
    assert answer.status_code == 401


@pytest.mark.parametrize("path", ["/api/v1/endpoints", "/docs", "/nowhere", "/healthz"])
async def test_each_answer_tells_the_browser_what_it_may_do_with_it(parts: Parts, path: str) -> None:
    async with browser(parts) as client:
        headers = (await client.get(path)).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert headers["cache-control"] == "no-store"
    assert "strict-transport-security" not in headers
    assert "server" not in headers


async def test_over_tls_the_browser_is_told_to_keep_to_it(parts: Parts) -> None:
    async with browser(parts, base_url="https://api") as client:
        headers = (await client.get("/docs")).headers
    assert headers["strict-transport-security"] == "max-age=31536000"


@pytest.mark.parametrize(("trusted", "address"), [("[]", "127.0.0.1"), ('["127.0.0.0/8"]', "198.51.100.7")])
def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    service: ServiceFactory, database_url: str, trusted: str, address: str
) -> None:
    api = service(
        "flownexus_api",
        wait=False,
        FLOWNEXUS_TRUSTED_PROXIES=trusted,
        FLOWNEXUS_NATS_URL="nats://nobody:a-word-of-the-tests@127.0.0.1:1",
    )
    accounts.add_user(database_url, "vera", "viewer", PASSWORD)
    # The first was put there by the client itself.
    forwarded = {"X-Forwarded-For": "203.0.113.66, 198.51.100.7", "X-Forwarded-Proto": "https"}
    with httpx.Client(base_url=api.health_url, transport=httpx.HTTPTransport(retries=0), trust_env=False) as client:
        wait_alive(client)
        form = {"username": "vera", "password": PASSWORD}
        answer = client.post("/api/v1/auth/token", data=form, headers=forwarded, timeout=20)
    assert answer.status_code == 200, answer.text
    assert ("strict-transport-security" in answer.headers) == (address != "127.0.0.1")
    with psycopg.connect(database_url) as connection:
        query = "select source_address from audit_entry where action = 'login.succeeded'"
        assert connection.execute(query).fetchall() == [(address,)]


def wait_alive(client: httpx.Client) -> None:
    from harness.waiting import blocking_until

    def alive() -> bool:
        try:
            return client.get("/healthz").status_code == 200
        except httpx.TransportError:
            return False

    blocking_until(alive, what="the api to be alive")
