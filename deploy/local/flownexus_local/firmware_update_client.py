"""Firmware updates over the api of a running system, as the commands of a terminal use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from flownexus_local.api_client import PAGE, ApiClient
from flownexus_local.api_session import API

_UPDATES = f"{API}/firmware-updates"


class FirmwareUpdateClient(ApiClient):
    """An ApiClient that knows firmware updates too."""

    def update_firmware(self, endpoint: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have a device updated: the update."""
        path = f"{API}/endpoints/{self.segment(endpoint)}/firmware-updates"
        return self._json(self._client.post(path, json=request))

    def firmware_updates(self, query: Mapping[str, str | list[str]]) -> Iterator[dict[str, Any]]:
        """Those that meet the query, the newest first."""
        yield from self._every(_UPDATES, {**query, "limit": str(PAGE)})

    def firmware_update(self, update: str) -> dict[str, Any]:
        """One, with its history."""
        return self._json(self._client.get(f"{_UPDATES}/{quote(update, safe='')}"))

    def cancel_firmware_update(self, update: str) -> dict[str, Any]:
        """Take one back: the update."""
        return self._json(self._client.post(f"{_UPDATES}/{quote(update, safe='')}/cancel"))
