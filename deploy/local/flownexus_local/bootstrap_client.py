"""What devices are given at a bootstrap, over the api."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from flownexus_local.api_session import API, ApiSession

HERE = f"{API}/bootstrap"


class BootstrapClient(ApiSession):
    """As ApiSession."""

    def endpoints(self) -> Iterator[dict[str, Any]]:
        """Those that something is declared for."""
        yield from self._every(f"{HERE}/endpoints", {"limit": "200"})

    def of(self, endpoint: str) -> dict[str, Any]:
        """What an endpoint is given, and by what."""
        return self._json(self._client.get(_endpoint(endpoint)))

    def put(self, endpoint: str, given: Any) -> dict[str, Any]:
        """Declare this for an endpoint, in place of what was."""
        return self._json(self._client.put(_endpoint(endpoint), json=given))

    def remove(self, endpoint: str) -> dict[str, Any]:
        """Declare nothing for an endpoint itself any more."""
        return self._json(self._client.delete(_endpoint(endpoint)))

    def trigger(self, endpoint: str) -> dict[str, Any]:
        """Have it bootstrap anew: the operation."""
        return self._json(self._client.post(f"{_endpoint(endpoint)}/trigger"))

    def steps(self, query: Mapping[str, str | list[str]]) -> list[dict[str, Any]]:
        """What happened last, the newest first."""
        items: list[dict[str, Any]] = self._json(self._client.get(f"{HERE}/steps", params=dict(query)))["items"]
        return items

    def profiles(self) -> Iterator[dict[str, Any]]:
        """All profiles."""
        yield from self._every(f"{HERE}/profiles", {})

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
    return f"{HERE}/endpoints/{quote(name, safe='')}"


def _profile(name: str) -> str:
    return f"{HERE}/profiles/{quote(name, safe='')}"
