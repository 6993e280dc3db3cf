"""The examples of bootstraps in the OpenAPI document."""

from __future__ import annotations

from typing import Any

SERVER_GIVEN: dict[str, Any] = {
    "uri": "coaps://192.0.2.1:5684",
    "short_server_id": 1,
    "security": "psk",
    "lifetime_s": 600,
}
GIVEN: dict[str, Any] = {
    "servers": [SERVER_GIVEN],
    "values": [{"path": "3303/0/5750", "value": "hall", "type": "string"}],
}
PROFILE_GIVEN: dict[str, Any] = {"servers": [SERVER_GIVEN], "endpoints": ["meter-*"], "tags": [], "priority": 10}
SERVER_SHOWN: dict[str, Any] = {
    **SERVER_GIVEN,
    "key": "issued",
    "identity": None,
    "certificate": None,
    "server_certificate": None,
    "binding": "U",
    "stores_notifications": True,
    "min_period_s": None,
    "max_period_s": None,
    "security_instance": None,
    "server_instance": None,
}
SHOWN: dict[str, Any] = {"servers": [SERVER_SHOWN], "values": GIVEN["values"], "delete": ["0", "1"], "format": None}
ENDPOINT: dict[str, Any] = {
    "endpoint": "urn:imei:123456789012345",
    "profile": None,
    "revision": 12,
    "configuration": SHOWN,
}
NAMED: dict[str, Any] = {
    "name": "meters",
    "revision": 13,
    "endpoints": ["meter-*"],
    "tags": [],
    "priority": 10,
    "configuration": {**SHOWN, "values": []},
    "error": None,
}
STEP: dict[str, Any] = {
    "id": "1041",
    "time": "2026-03-02T09:39:40.100000Z",
    "endpoint": "urn:imei:123456789012345",
    "session": "6f1c2f0de1a84d5c9d2a6a4c2f0f7b11",
    "state": "finished",
    "text": "it has what it needs to register at coaps://192.0.2.1:5684",
    "notes": [],
    "code": None,
    "profile": None,
    "credentials": ["bs-3f9c1a2b7d4e5f60"],
    "identity": "psk:urn:imei:123456789012345",
    "address": "192.0.2.17:49152",
    "gateway": "gw-1",
}

BOOTSTRAP_EXAMPLES: dict[str, dict[str, Any]] = {
    "ServerGiven": SERVER_GIVEN,
    "BootstrapGiven": GIVEN,
    "BootstrapProfileGiven": PROFILE_GIVEN,
    "ServerShown": SERVER_SHOWN,
    "BootstrapShown": SHOWN,
    "EndpointBootstrap": ENDPOINT,
    "ConfiguredEndpoints": {"items": [ENDPOINT], "next": None},
    "NamedBootstrapProfile": NAMED,
    "BootstrapProfiles": {"items": [NAMED], "next": None},
    "BootstrapStep": STEP,
    "BootstrapSteps": {"items": [STEP], "next": None},
}
