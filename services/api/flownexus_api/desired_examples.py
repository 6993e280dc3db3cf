"""The examples of desired values in the OpenAPI document."""

from __future__ import annotations

from typing import Any

LIFETIME = {"path": "1/0/1", "value": 600, "type": "integer"}
PMIN = {"path": "3303", "attributes": {"pmin": 60}}
WISH: dict[str, Any] = {"values": [LIFETIME], "attributes": [PMIN]}
PROFILE_WISH: dict[str, Any] = {
    **WISH,
    "endpoints": ["urn:imei:3564*"],
    "objects": [3303],
    "tags": ["greenhouse"],
    "priority": 10,
}

IN_SYNC: dict[str, Any] = {
    "endpoint": "urn:imei:123456789012345",
    "path": "1/0/1",
    "attribute": None,
    "type": "integer",
    "desired": 600,
    "profile": None,
    "state": "in-sync",
    "since": "2026-03-02T09:50:01Z",
    "reported": 600,
    "reported_at": "2026-03-02T09:50:01Z",
    "checked_at": "2026-03-02T09:50:01Z",
    "code": None,
    "reason": None,
}
DRIFTED: dict[str, Any] = {
    **IN_SYNC,
    "path": "3303",
    "attribute": "pmin",
    "type": None,
    "desired": 60,
    "profile": "fleet",
    "state": "drifted",
    "reported": 1,
    "reason": "The device had it and has another value.",
}
NAMED = {"name": "fleet", "revision": 12, "error": None, **PROFILE_WISH}

DESIRED_EXAMPLES: dict[str, Any] = {
    "DesiredOfEndpoint": WISH,
    "EndpointDesiredValues": {
        "endpoint": "urn:imei:123456789012345",
        "revision": 12,
        "values": [LIFETIME],
        "attributes": [],
        "standing": [IN_SYNC, DRIFTED],
    },
    "DesiredProfileGiven": PROFILE_WISH,
    "NamedDesiredProfile": NAMED,
    "DesiredProfiles": {"items": [NAMED], "next": None},
    "DesiredStandings": {"items": [DRIFTED], "next": None},
    "DesiredCounts": {"endpoints": 200, "values": 200, "by_state": {"in-sync": 180, "pending": 20}},
}
