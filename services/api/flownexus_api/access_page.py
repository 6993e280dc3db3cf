"""The page about access in the manual: what each route requires, and so who is let through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from flownexus_api.access import REQUIRED, Person, Required
from flownexus_api.errors import Forbidden
from flownexus_api.scopes import Scope
from flownexus_schemas.tables.accounts import ROLES

YES = "yes"
NOBODY = "nobody"
CALLERS: tuple[str, ...] = (NOBODY, *ROLES, *Scope)
"""The columns: without a token, logins of each role, an administrator's API tokens of one scope each."""

HEAD = f"""# Who is let through

Written by `make schemas` from what the routes declare. A test sends each request of the table to the application and
compares. *{NOBODY}* has no token, the three roles are logins, the rest are API tokens of an administrator with that
scope alone. *{YES}*: let through, whatever the answer then is; else the status of the refusal.

"""


class Route(NamedTuple):
    """One method of one path, and what it requires: nothing where that is None."""

    method: str
    path: str
    required: Required | None


def routes(routers: Sequence[APIRouter], prefix: str) -> Iterator[Route]:
    """All routes of the api."""
    for router in routers:
        for route in router.routes:
            assert isinstance(route, APIRoute)
            for method in sorted(route.methods or ()):
                yield Route(method, prefix + route.path, _required(route.dependant))


def _required(dependant: Dependant) -> Required | None:
    call: Any = dependant.call
    if call in REQUIRED:
        return REQUIRED[call]
    return next((found for one in dependant.dependencies if (found := _required(one)) is not None), None)


def outcome(route: Route, caller: str, somebody: Person) -> str:
    """What a caller meets: a status, or yes. `somebody` is who the caller is, where that is anybody."""
    if route.required is None:
        return YES
    if caller == NOBODY:
        return str(int(HTTPStatus.UNAUTHORIZED))
    try:
        route.required.allow(somebody)
    except Forbidden:
        return str(int(HTTPStatus.FORBIDDEN))
    return YES


def row(route: Route, outcomes: Sequence[str]) -> str:
    """One line of the table."""
    return f"| {route.method} `{route.path}` | {' | '.join(outcomes)} |"


def page(all_routes: Sequence[Route]) -> str:
    """The whole page."""
    callers = _callers()
    lines = [
        f"| route | {' | '.join(CALLERS)} |",
        f"|---|{'---|' * len(CALLERS)}",
        *(row(route, [outcome(route, caller, callers[caller]) for caller in CALLERS]) for route in all_routes),
    ]
    return HEAD + "\n".join(lines) + "\n"


def _callers() -> dict[str, Person]:
    """Somebody as each column has them."""
    somebody = Person(0, NOBODY, ROLES[0], datetime.max.replace(tzinfo=UTC))
    logins = {role: replace(somebody, role=role, session="a login") for role in ROLES}
    tokens = {
        str(scope): replace(somebody, role=ROLES[-1], api_token="a token", scopes=frozenset({scope}))  # noqa: S106
        for scope in Scope
    }
    return {NOBODY: somebody, **logins, **tokens}
