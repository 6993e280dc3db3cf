"""Every route tried as nobody, as each role, and with an API token of each scope: as docs/security/access.md says."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from flownexus_api import access_page, sessions
from flownexus_api.access_page import CALLERS, YES, Route
from flownexus_api.app import PREFIX, ROUTERS
from flownexus_api.parts import Parts
from flownexus_api.scopes import Scope
from flownexus_schemas.tables.accounts import ROLES
from integration.api.callers import Callers

PAGE = Path(__file__).parents[3] / "docs" / "security" / "access.md"
ROUTES = list(access_page.routes(ROUTERS, PREFIX))
OPEN = {f"/api/v1/auth/{path}" for path in ("token", "methods", "oidc/start", "oidc/finish")}


class Tokens:
    """What each caller sends."""

    def __init__(self, callers: Callers, parts: Parts) -> None:
        self._parts = parts
        self._owners = {callers.add(role, role): number for number, role in enumerate(ROLES, 1)}
        self._api_tokens = {str(scope): callers.token("administrator", scope) for scope in Scope}

    async def of(self, caller: str) -> str | None:
        """Of a login a fresh one: some routes end the login that they are asked with."""
        if caller not in self._owners:
            return self._api_tokens.get(caller)
        async with self._parts.engine.begin() as database:
            token, _ = await sessions.start(database, self._owners[caller], self._parts.session_times, None, None)
        return token


async def tried(client: httpx.AsyncClient, route: Route, token: str | None) -> str:
    """What the application does."""
    path = route.path.replace("{", "no-").replace("}", "").removeprefix(PREFIX)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    answer = await client.request(route.method, path, headers=headers, json={} if route.method != "GET" else None)
    return str(answer.status_code) if answer.status_code in {401, 403} else YES


@pytest.mark.timeout(600)
async def test_each_route_lets_through_whom_the_page_says(callers: Callers, parts: Parts) -> None:
    written, tokens = PAGE.read_text(), Tokens(callers, parts)
    found: list[str] = []
    async with callers.nobody() as client:
        for route in ROUTES:
            if route.path in OPEN:
                outcomes = [YES] * len(CALLERS)
            else:
                outcomes = [await tried(client, route, await tokens.of(caller)) for caller in CALLERS]
            found.append(access_page.row(route, outcomes))
    assert [line for line in written.splitlines() if line.startswith(("| GET", "| P", "| DELETE"))] == found


def test_the_page_is_what_make_schemas_writes() -> None:
    assert PAGE.read_text() == access_page.page(ROUTES), "run make schemas"


def test_every_route_that_is_not_open_requires_something() -> None:
    assert {route.path for route in ROUTES if route.required is None} == OPEN
