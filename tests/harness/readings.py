"""The newest reading of a device, as the api shows it."""

from __future__ import annotations

from typing import NamedTuple

import httpx

TEMPERATURE = "3303/0/5700"


class Reading(NamedTuple):
    """One value of one resource. `time` is the api's own text."""

    path: str
    value: float
    time: str


def newest_reading(api: httpx.Client, endpoint: str, path: str = TEMPERATURE) -> Reading | None:
    """The newest value of the resource; None if there is none, or the api is away just now."""
    try:
        response = api.get(f"/api/v1/endpoints/{endpoint}/resources")
    except httpx.TransportError:
        return None
    if not response.is_success:
        return None
    for item in response.json()["items"]:
        if item["path"] == path:
            return Reading(path, item["value"], item["time"])
    return None
