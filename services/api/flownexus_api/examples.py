"""The examples in the OpenAPI document: answers of one real device, a Zephyr board with a thermometer."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict


def example(value: dict[str, Any]) -> ConfigDict:
    """The configuration of a model with this example."""
    return ConfigDict(json_schema_extra={"examples": [value]})


ENDPOINT: dict[str, Any] = {
    "name": "urn:imei:123456789012345",
    "status": "online",
    "registered": True,
    "registration_id": "k3Vd0aQz",
    "lwm2m_version": "1.1",
    "binding": "U",
    "queue_mode": False,
    "lifetime_s": 600,
    "address": {"host": "192.0.2.1", "port": 56830},
    "gateway": "gw-1",
    "first_seen_at": "2026-03-01T08:00:00Z",
    "registered_at": "2026-03-02T09:30:00Z",
    "last_seen_at": "2026-03-02T09:41:30Z",
    "awake_until": "2026-03-02T09:43:03Z",
    "expires_at": "2999-12-31T00:00:00Z",
}

ENDPOINTS: dict[str, Any] = {"items": [ENDPOINT], "next": None}

ENDPOINT_DETAIL: dict[str, Any] = {
    **ENDPOINT,
    "identity": None,
    "root_path": "/",
    "object_links": ["1/0", "3/0", "3303/0"],
    "object_versions": {"3": "1.1", "3303": "1.1"},
    "content_formats": [112],
    "registration_warnings": [],
    "observations": [
        {
            "paths": ["3303/0/5700"],
            "composite": False,
            "state": "established",
            "code": "2.05",
            "diagnostic": None,
            "time": "2026-03-02T09:30:01Z",
        }
    ],
}
