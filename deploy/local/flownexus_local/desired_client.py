"""Desired values of a running system, over the api."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from flownexus_local.api_session import API, ApiSession

PAGE = "500"


class DesiredClient(ApiSession):
    """As ApiSession."""

    def of(self, endpoint: str) -> dict[str, Any]:
        """What is declared for an endpoint, and how all that is desired of it stands."""
        return self._json(self._client.get(_endpoint(endpoint)))

    def put(self, endpoint: str, wish: Mapping[str, Any], revision: int | None) -> dict[str, Any]:
        """Declare this in place of what was, where that has still this revision."""
        match = {"If-Match": f'"{revision or 0}"'}
        return self._json(self._client.put(_endpoint(endpoint), json=wish, headers=match))

    def remove(self, endpoint: str) -> dict[str, Any]:
        """Declare nothing for an endpoint any more."""
        return self._json(self._client.delete(_endpoint(endpoint)))

    def fleet(self, query: Mapping[str, str | list[str]]) -> Iterator[dict[str, Any]]:
        """Desired values of all endpoints."""
        yield from self._every(f"{API}/desired-values", {**query, "limit": PAGE})

    def counts(self, query: Mapping[str, str | list[str]]) -> dict[str, Any]:
        """How many stand where."""
        return self._json(self._client.get(f"{API}/desired-values/counts", params=dict(query)))

    def profiles(self) -> Iterator[dict[str, Any]]:
        """All profiles of desired values."""
        yield from self._every(f"{API}/desired-profiles", {})

    def profile(self, name: str) -> dict[str, Any]:
        """One of them."""
        return self._json(self._client.get(_profile(name)))

    def put_profile(self, name: str, given: Any) -> dict[str, Any]:
        """Make one, or put another in its place."""
        return self._json(self._client.put(_profile(name), json=given))

    def remove_profile(self, name: str) -> dict[str, Any]:
        """Take one away."""
        return self._json(self._client.delete(_profile(name)))


def _endpoint(name: str) -> str:
    return f"{API}/endpoints/{quote(name, safe='')}/desired"


def _profile(name: str) -> str:
    return f"{API}/desired-profiles/{quote(name, safe='')}"
