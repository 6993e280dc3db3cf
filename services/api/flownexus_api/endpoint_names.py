"""Endpoint names in URLs: one segment of the path, percent-encoded, whatever characters the name has."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Depends, Path
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from flownexus_api.access import Viewer
from flownexus_api.parts import Database
from flownexus_schemas.errors import NotFound
from flownexus_schemas.tables import Endpoint

UNAMBIGUOUS = "/%"
"""What a decoded segment must not hold, as routes are told apart by slashes."""


class KeepEncodedSlashes:
    """Gives the routes the path with `%2F` and `%25` still encoded, so that `a%2Fb` is one segment.

    Servers hand on a path that is decoded already, where `/endpoints/a%2Fobjects` looks like the objects of `a`.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        raw: bytes | None = scope.get("raw_path")
        if scope["type"] == "http" and raw and b"%" in raw:
            path = raw.partition(b"?")[0].decode("latin-1")
            segments = (_encode(unquote(segment)) for segment in path.split("/"))
            scope = {**scope, "path": "/".join(segments)}
        await self._app(scope, receive, send)


def _encode(segment: str) -> str:
    return "".join(quote(character, safe="") if character in UNAMBIGUOUS else character for character in segment)


def _name(
    endpoint: Annotated[
        str,
        Path(description="The endpoint name, percent-encoded as one segment.", examples=["urn:imei:123456789012345"]),
    ],
) -> str:
    return unquote(endpoint)


EndpointName = Annotated[str, Depends(_name)]


async def endpoint_id(database: AsyncConnection, name: str) -> int:
    """The key of an endpoint. Raises NotFound."""
    found = None
    if "\0" not in name:
        found = await database.scalar(select(Endpoint.id).where(Endpoint.name == name))
    if found is None:
        raise unknown_endpoint(name)
    return found


def unknown_endpoint(name: str) -> NotFound:
    """The error for a name that nobody registered under."""
    return NotFound(f"There is no endpoint {name!r}: it never registered.")


async def _endpoint_id(_: Viewer, database: Database, name: EndpointName) -> int:
    return await endpoint_id(database, name)


EndpointId = Annotated[int, Depends(_endpoint_id)]
"""The key of the endpoint that the path names, for somebody who may see it."""
