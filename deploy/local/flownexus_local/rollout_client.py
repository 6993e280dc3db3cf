"""Rollouts over the api, as the commands of a terminal use them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from flownexus_local.api_client import PAGE
from flownexus_local.api_session import API, TIMEOUT_S, ApiSession
from flownexus_schemas.rollouts.messages import RolloutChanged, RolloutDeviceChanged, parse_rollout_event

PLANNING_S = 60.0
"""Seconds that a plan of thousands of devices may take."""

_PATIENCE = httpx.Timeout(TIMEOUT_S, read=PLANNING_S)


class RolloutClient(ApiSession):
    """What the commands ask of the api about rollouts."""

    def request_rollout(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have one made, or tried dry: what it does, device for device."""
        return self._json(self._client.post(f"{API}/rollouts", json=request, timeout=_PATIENCE))

    def rollouts(self) -> Iterator[dict[str, Any]]:
        """All, the newest first."""
        yield from self._every(f"{API}/rollouts", {"limit": str(PAGE)})

    def rollout(self, rollout: str) -> dict[str, Any]:
        """One, with its groups and history."""
        return self._json(self._client.get(_path(rollout)))

    def rollout_devices(self, rollout: str, statuses: Sequence[str]) -> Iterator[dict[str, Any]]:
        """Its devices, in the order in which they are updated."""
        yield from self._every(f"{_path(rollout)}/devices", {"limit": str(PAGE), "status": list(statuses)})

    def rollout_report(self, rollout: str) -> dict[str, Any]:
        """How it went."""
        return self._json(self._client.get(f"{_path(rollout)}/report"))

    def change_rollout(self, rollout: str, what: str) -> dict[str, Any]:
        """`pause`, `resume`, `next` or `stop` it: how it stands then."""
        return self._json(self._client.post(f"{_path(rollout)}/{what}"))

    def roll_back(self, rollout: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """Have it taken back, or say what that would do."""
        return self._json(self._client.post(f"{_path(rollout)}/rollback", json=request, timeout=_PATIENCE))

    def rollout_events(self, query: Mapping[str, str]) -> Iterator[RolloutChanged | RolloutDeviceChanged]:
        """What happens to rollouts from now on, without end."""
        for sent in self._follow(f"{API}/rollouts/stream", query):
            event = parse_rollout_event(sent.data.encode())
            if isinstance(event, RolloutChanged | RolloutDeviceChanged):
                yield event


def _path(rollout: str) -> str:
    return f"{API}/rollouts/{quote(rollout, safe='')}"
