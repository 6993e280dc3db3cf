"""Credentials of devices over the api."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from flownexus_local.api_session import API, TIMEOUT_S, ApiSession

PAGE = "500"
PATH = f"{API}/credentials"
MANY = httpx.Timeout(TIMEOUT_S, read=60)
"""For a file of a thousand lines."""


class CredentialClient(ApiSession):
    """What the commands ask of it."""

    def create(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Make one: with its key, where that was made by the api."""
        return self._json(self._client.post(PATH, json=dict(given)))

    def credentials(self, query: Mapping[str, str | list[str]]) -> Iterator[dict[str, Any]]:
        """Those that meet the query, by endpoint."""
        yield from self._every(PATH, {**query, "limit": PAGE})

    def credential(self, credential: str) -> dict[str, Any]:
        """One of them."""
        return self._json(self._client.get(_one(credential)))

    def rotate(self, credential: str, given: Mapping[str, Any]) -> dict[str, Any]:
        """Have it followed by another: both."""
        return self._json(self._client.post(f"{_one(credential)}/rotate", json=dict(given)))

    def revoke(self, credential: str) -> dict[str, Any]:
        """Take it out of force: as it is now."""
        return self._json(self._client.post(f"{_one(credential)}/revoke"))

    def delete(self, credential: str) -> dict[str, Any]:
        """Forget it: what it was."""
        return self._json(self._client.delete(_one(credential)))

    def import_csv(self, content: bytes, *, dry_run: bool) -> dict[str, Any]:
        """Make those of a file."""
        query, headers = {"dry_run": dry_run}, {"Content-Type": "text/csv"}
        return self._json(
            self._client.post(f"{PATH}/import", content=content, params=query, headers=headers, timeout=MANY)
        )

    def reseal(self) -> dict[str, Any]:
        """Have a thousand keys sealed anew: how many were, and are left."""
        return self._json(self._client.post(f"{PATH}/reseal", timeout=MANY))

    def export_csv(self, query: Mapping[str, str | list[str]]) -> Iterator[bytes]:
        """Those that meet the query as a file."""
        yield from self._pieces(f"{PATH}/export", query)


def _one(credential: str) -> str:
    return f"{PATH}/{quote(credential, safe='')}"
