"""A path is split at the slashes that were sent as slashes."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Receive, Scope, Send

from flownexus_api.endpoint_names import KeepEncodedSlashes

PREFIX = "/api/v1/endpoints/"


async def path_seen(raw_path: str) -> str:
    """The path that an application behind the middleware is given."""
    seen: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["path"])

    async def nothing(*_: Any) -> Any:
        raise AssertionError("neither read nor written")

    scope = {"type": "http", "raw_path": raw_path.encode(), "path": unquote(raw_path)}
    await KeepEncodedSlashes(app)(scope, nothing, nothing)
    return seen[0]


@pytest.mark.parametrize("name", ["a/b", "a%2Fb", "%", "50%", "/", "ünï", "a?b", "a#b", "a b", "urn:imei:1"])
async def test_a_name_is_one_segment_and_comes_back(name: str) -> None:
    path = await path_seen(f"{PREFIX}{quote(name, safe='')}/objects")
    segments = path.removeprefix(PREFIX).split("/")
    assert len(segments) == 2
    assert unquote(segments[0]) == name


@given(st.text(min_size=1).filter(lambda text: text.isprintable()))
async def test_any_name_comes_back(name: str) -> None:
    path = await path_seen(f"{PREFIX}{quote(name, safe='')}")
    assert "/" not in path.removeprefix(PREFIX)
    assert unquote(path.removeprefix(PREFIX)) == name
