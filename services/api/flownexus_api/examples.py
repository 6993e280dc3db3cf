"""The examples in the OpenAPI document: answers of one real device, a Zephyr board with a thermometer."""

from __future__ import annotations

from typing import Any

from flownexus_api.account_examples import ACCOUNT_EXAMPLES
from flownexus_api.bootstrap_examples import BOOTSTRAP_EXAMPLES
from flownexus_api.credential_examples import CREDENTIAL_EXAMPLES
from flownexus_api.desired_examples import DESIRED_EXAMPLES
from flownexus_api.operation_examples import OPERATION_EXAMPLES
from flownexus_api.rollout_examples import ROLLOUT_EXAMPLES
from flownexus_schemas import subjects

ENDPOINT: dict[str, Any] = {
    "name": "urn:imei:123456789012345",
    "status": "online",
    "registered": True,
    "registration_id": "k3Vd0aQz",
    "lwm2m_version": "1.1",
    "binding": "U",
    "queue_mode": False,
    "awake_window_s": 93.0,
    "answers_asleep_within_s": None,
    "lifetime_s": 600,
    "address": {"host": "192.0.2.1", "port": 56830},
    "gateway": "gw-1",
    "first_seen_at": "2026-03-01T08:00:00Z",
    "registered_at": "2026-03-02T09:30:00Z",
    "last_seen_at": "2026-03-02T09:41:30Z",
    "awake_until": "2026-03-02T09:43:03Z",
    "expires_at": "2999-12-31T00:00:00Z",
    "next_expected_at": "2999-12-30T09:51:30Z",
    "next_expected_by": "2999-12-30T09:51:36Z",
    "overdue": False,
    "tags": ["greenhouse", "site:north"],
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
            "attributes": {"pmin": 10, "pmax": 60},
            "attributes_code": "2.04",
            "attributes_diagnostic": None,
            "time": "2026-03-02T09:30:01Z",
        }
    ],
}

RESOURCES: dict[str, Any] = {
    "items": [
        {
            "path": "3/0/0",
            "object_id": 3,
            "object_name": "Device",
            "name": "Manufacturer",
            "units": None,
            "type": "string",
            "value": "Zephyr",
            "time": "2026-03-02T09:30:02Z",
            "received_at": "2026-03-02T09:30:02Z",
        },
        {
            "path": "3303/0/5700",
            "object_id": 3303,
            "object_name": "Temperature",
            "name": "Sensor Value",
            "units": None,
            "type": "float",
            "value": 25.0,
            "time": "2026-03-02T09:41:29.500000Z",
            "received_at": "2026-03-02T09:41:30Z",
        },
    ],
    "next": None,
}

PROFILE: dict[str, Any] = {
    "endpoints": ["urn:imei:3564*"],
    "objects": [3303],
    "tags": ["greenhouse"],
    "priority": 10,
    "observe": [{"path": "3303/0/5700", "attributes": {"pmin": 10, "pmax": 60, "st": 0.5}, "format": None}],
    "observe_composite": [
        {
            "paths": ["3303/0/5700", "3304/0/5700"],
            "event_type": "climate",
            "attributes": {"pmin": 60},
            "format": 112,
        }
    ],
    "read_once": ["3/0"],
    "format": None,
    "awake_window_s": 20.0,
    "answers_asleep_within_s": 82.0,
}

ENDPOINT_PROFILE: dict[str, Any] = {
    "endpoint": "urn:imei:356400000000001",
    "profile": "greenhouse",
    "state": "in-force",
    "observed": ["3304/0/5700"],
    "refused": [],
    "cancelled": ["3303/0/5700"],
    "changed": [],
    "differences": [],
}

OBJECTS: dict[str, Any] = {
    "items": [
        {
            "id": 3303,
            "name": "Temperature",
            "version": "1.1",
            "known": True,
            "instances": [
                {
                    "id": 0,
                    "resources": [
                        {
                            "path": "3303/0/5700",
                            "id": 5700,
                            "name": "Sensor Value",
                            "type": "float",
                            "units": None,
                            "operations": "R",
                            "multiple": False,
                            "mandatory": True,
                            "value": 25.0,
                            "time": "2026-03-02T09:41:29.500000Z",
                        }
                    ],
                }
            ],
        }
    ],
    "next": None,
}

HISTORY: dict[str, Any] = {
    "items": [
        {
            "path": "3303/0/5700",
            "time": "2026-03-02T09:41:19.500000Z",
            "value": 24.5,
            "type": "float",
            "received_at": "2026-03-02T09:41:20Z",
        },
        {
            "path": "3303/0/5700",
            "time": "2026-03-02T09:41:29.500000Z",
            "value": 25.0,
            "type": "float",
            "received_at": "2026-03-02T09:41:30Z",
        },
    ],
    "next": None,
}

BUCKETS: dict[str, Any] = {
    "items": [{"time": "2026-03-02T09:40:00Z", "count": 2, "min": 24.5, "max": 25.0, "avg": 24.75, "last": 25.0}],
    "next": None,
}

EVENTS: dict[str, Any] = {
    "items": [
        {
            "id": "1041",
            "time": "2026-03-02T09:41:29.500000Z",
            "received_at": "2026-03-02T09:41:30Z",
            "event_type": "environment",
            "resources": [
                {
                    "path": "3303/0/5700",
                    "name": "Sensor Value",
                    "units": None,
                    "type": "float",
                    "value": 25.0,
                    "time": "2026-03-02T09:41:29.500000Z",
                }
            ],
        }
    ],
    "next": None,
}

LOGS: dict[str, Any] = {
    "items": [
        {"id": "1039", "time": "2026-03-02T09:39:58.250000Z", "level": "warning", "text": "modem: cell reselection"}
    ],
    "next": None,
}

STATISTICS: dict[str, Any] = {
    "endpoints": {"total": 25, "online": 20, "asleep": 4, "offline": 1, "overdue": 1},
    "readings_last_hour": 9000,
    "registrations_last_day": 26,
    "updates_last_day": 3600,
    "deregistrations_last_day": 1,
}

REPORTED = subjects.event("node-7", subjects.EventKind.REPORTED)
UNDECODED: dict[str, Any] = {
    "id": "1772366400250000-7",
    "endpoint": "node-7",
    "received_at": "2026-03-01T12:00:00.250000Z",
    "trigger": "notify",
    "paths": ["3/0"],
    "content_format": 11542,
    "size": 2,
    "start": "c200",
    "reason": "the TLV ends in the middle of a value",
    "decoded_at": None,
    "dismissed_at": None,
}
STREAM = """event: updated
id: 1040
data: {"specversion":"1.0","id":"gw-1-k3Vd0aQz-7","source":"/gateway/gw-1","subject":"urn:imei:123456789012345",\
"time":"2026-03-02T09:40:00Z","datacontenttype":"application/json","type":"io.flownexus.lwm2m.updated.v1",\
"data":{"registration_id":"k3Vd0aQz","lifetime_s":600}}

: ping

"""

EXAMPLES: dict[str, dict[str, Any]] = {
    **ACCOUNT_EXAMPLES,
    **CREDENTIAL_EXAMPLES,
    **BOOTSTRAP_EXAMPLES,
    **OPERATION_EXAMPLES,
    **DESIRED_EXAMPLES,
    **ROLLOUT_EXAMPLES,
    "Buckets": BUCKETS,
    "DeviceAnswer": {
        "code": "2.05",
        "values": [{"path": "3/0/9", "type": "integer", "value": 87, "time": "2026-03-02T09:42:00Z"}],
        "diagnostic": None,
        "location": None,
        "links": None,
    },
    "DeviceRequest": {"operation": "write", "path": "3303/0/5603", "value": -20.0, "timeout_s": 30},
    "Endpoint": ENDPOINT,
    "EndpointDetail": ENDPOINT_DETAIL,
    "EndpointProfile": ENDPOINT_PROFILE,
    "EndpointProfiles": {"items": [ENDPOINT_PROFILE], "next": None},
    "Endpoints": ENDPOINTS,
    "Events": EVENTS,
    "History": HISTORY,
    "Logs": LOGS,
    "KnownObject": {
        "id": 26241,
        "version": "1.0",
        "name": "Silo",
        "urn": "urn:oma:lwm2m:x:26241",
        "resources": 1,
        "uploaded": True,
    },
    "UndecodedReports": {"items": [UNDECODED], "next": None},
    "UndecodedPayload": {**UNDECODED, "payload": "wgA="},
    "Retried": {
        "id": "1772366400250000-7",
        "values": [{"path": "3/0/0", "type": "string", "time": "2026-03-01T12:00:00.250000Z"}],
    },
    "Dismissed": {"id": "1772366400250000-7"},
    "RetriedAll": {"decoded": 3, "left": 1, "next": None},
    "DeadLetters": {
        "items": [
            {
                "id": 7,
                "service": "ingest",
                "reason": "InvalidMessage: not an event: type: Input should be a known event",
                "subject": REPORTED,
                "stream": subjects.Stream.EVENTS.value,
                "stream_sequence": 1234,
                "time": "2026-03-01T12:00:00Z",
                "payload": "e30=",
            }
        ],
        "next": None,
    },
    "Done": {"id": 7, "subject": REPORTED},
    "DefinedObject": {
        "id": 26241,
        "version": "1.0",
        "name": "Silo",
        "urn": "urn:oma:lwm2m:x:26241",
        "resources": 1,
        "uploaded": True,
        "description": "How full a silo is.",
        "definition": [
            {
                "id": 1,
                "name": "Fill",
                "type": "float",
                "operations": "R",
                "multiple": False,
                "mandatory": True,
                "units": "%",
                "range_enumeration": "0..100",
                "description": "",
            }
        ],
    },
    "UnknownObjects": {
        "items": [
            {
                "id": 26241,
                "name": None,
                "listed_by": 3,
                "resources": [
                    {"id": 1, "endpoints": 2, "types": ["opaque"], "last_received_at": "2026-03-01T12:00:00Z"}
                ],
            }
        ],
        "next": None,
    },
    "Models": {
        "items": [
            {
                "id": 3303,
                "version": "1.1",
                "name": "Temperature",
                "urn": "urn:oma:lwm2m:ext:3303:1.1",
                "resources": 16,
                "uploaded": False,
            }
        ],
        "next": None,
    },
    "NamedProfile": {"name": "greenhouse", "error": None, **PROFILE},
    "Objects": OBJECTS,
    "Problem": {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "There is no endpoint 'node-7': it never registered.",
    },
    "Profile": PROFILE,
    "Profiles": {"items": [{"name": "greenhouse", "error": None, **PROFILE}], "next": None},
    "Resources": RESOURCES,
    "Statistics": STATISTICS,
    "TagsOfEndpoint": {"tags": ["greenhouse", "site:north"]},
}
"""By the name of the schema."""
