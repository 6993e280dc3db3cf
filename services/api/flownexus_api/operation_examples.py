"""The examples of operations and firmware in the OpenAPI document."""

from __future__ import annotations

from typing import Any

OPERATION: dict[str, Any] = {
    "id": "6f1c2f0e9d5b4f4b8a3e1d2c3b4a5968",
    "endpoint": "urn:imei:123456789012345",
    "operation": "write",
    "request": {
        "path": "5/0/1",
        "values": [{"path": "5/0/1", "value": "https://url.com/fw.bin"}],
        "replace": False,
        "timeout_s": 30,
    },
    "priority": 0,
    "batch": None,
    "status": "CONFIRMED",
    "attempts": 1,
    "max_attempts": 3,
    "requested_at": "2026-03-02T09:42:00Z",
    "requested_by": "olga",
    "expires_at": None,
    "forecast_at": None,
    "forecast_by": None,
    "last_attempt_at": "2026-03-02T09:50:00.100000Z",
    "finished_at": "2026-03-02T09:50:00.400000Z",
    "last_action": "The device answered 2.04.",
    "code": "2.04",
    "diagnostic": None,
    "values": [],
    "location": None,
    "links": None,
}
STEPS = [
    {
        "time": "2026-03-02T09:42:00Z",
        "status": "QUEUED",
        "attempts": 0,
        "action": "Requested.",
        "code": None,
        "diagnostic": None,
    },
    {
        "time": "2026-03-02T09:50:00.100000Z",
        "status": "SENDING",
        "attempts": 1,
        "action": "Sent to the device by gw-1, attempt 1 of 3.",
        "code": None,
        "diagnostic": None,
    },
    {
        "time": "2026-03-02T09:50:00.400000Z",
        "status": "CONFIRMED",
        "attempts": 1,
        "action": "The device answered 2.04.",
        "code": "2.04",
        "diagnostic": None,
    },
]
OPERATION_STREAM = """event: cancelled
id: 3041
data: {"specversion":"1.0","id":"6f1c2f0e-3040-cancelled","source":"/api","subject":"urn:imei:123456789012345",\
"time":"2026-03-02T09:43:00Z","datacontenttype":"application/json","type":"io.flownexus.operation.cancelled.v1",\
"data":{"id":"6f1c2f0e9d5b4f4b8a3e1d2c3b4a5968","status":"CANCELLED","last_action":"Cancelled by olga."}}

: ping

"""

FIRMWARE: dict[str, Any] = {
    "id": "9f3c5d1e7a2b4c68",
    "name": "thermometer",
    "version": "1.4.0",
    "file_name": "thermometer-1.4.0.bin",
    "size": 262144,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "notes": None,
    "uploaded_by": "olga",
    "created_at": "2026-03-02T09:30:00Z",
    "updated_at": "2026-03-02T09:30:00Z",
}

FIRMWARE_UPDATE: dict[str, Any] = {
    "id": "4f2a90c1d3b55e07",
    "endpoint": "urn:imei:123456789012345",
    "firmware": "9f3c5d1e7a2b4c68",
    "name": "thermometer",
    "version": "1.4.0",
    "rollout": None,
    "method": "auto",
    "scheme": "auto",
    "install": {"not_before": None, "window": {"start": "01:30:00", "end": "04:00:00", "days": []}},
    "way": "pull by coap",
    "status": "DOWNLOADED",
    "state": 2,
    "state_text": "Downloaded",
    "result": 0,
    "result_text": "none yet",
    "size": 262144,
    "transferred": 262144,
    "retries": 0,
    "installs": 0,
    "version_before": "1.3.2",
    "version_after": None,
    "waiting_for": "its maintenance window, 01:30 to 04:00 UTC, every day",
    "last_action": "The device has the whole image.",
    "operation": None,
    "operation_batch": "firmware-4f2a90c1d3b55e07",
    "requested_at": "2026-03-02T09:42:00Z",
    "requested_by": "olga",
    "expires_at": None,
    "finished_at": None,
}
UPDATE_STEPS = [
    {
        "time": "2026-03-02T09:42:00Z",
        "what": "requested",
        "status": "QUEUED",
        "state": None,
        "result": None,
        "transferred": 0,
        "action": "Requested.",
    },
    {
        "time": "2026-03-02T09:50:00Z",
        "what": "downloaded",
        "status": "DOWNLOADED",
        "state": 2,
        "result": 0,
        "transferred": 262144,
        "action": "The device has the whole image.",
    },
]
FIRMWARE_UPDATE_STREAM = """event: downloaded
id: 3107
data: {"specversion":"1.0","id":"4f2a90c1d3b55e07-3106-downloaded","source":"/operations/ops-1",\
"subject":"urn:imei:123456789012345","time":"2026-03-02T09:50:00Z","datacontenttype":"application/json",\
"type":"io.flownexus.firmware.downloaded.v1","data":{"id":"4f2a90c1d3b55e07","status":"DOWNLOADED",\
"last_action":"The device has the whole image."}}

: ping

"""

OPERATION_EXAMPLES: dict[str, dict[str, Any]] = {
    "BatchCancelled": {"batch": "b7d1", "cancelled": 12},
    "BatchRequest": {
        "operation": "write",
        "path": "1/0/1",
        "value": 600,
        "select": {"endpoints": ["urn:imei:3564*"], "tags": ["greenhouse"]},
        "expires_at": "2999-12-31T00:00:00Z",
    },
    "EndpointFirmwareUpdate": FIRMWARE_UPDATE,
    "EndpointOperation": OPERATION,
    "Firmware": FIRMWARE,
    "FirmwareLink": {
        "path": "/fw/69a5c2d0.3nXv0Jq2Q1mQm5cA9Zr7vw/9f3c5d1e7a2b4c68",
        "expires_at": "2026-03-03T09:30:00Z",
    },
    "FirmwareUpdateDetail": {**FIRMWARE_UPDATE, "history": UPDATE_STEPS},
    "FirmwareUpdates": {"items": [FIRMWARE_UPDATE], "next": None},
    "Firmwares": {"items": [FIRMWARE], "next": None},
    "OperationBatch": {"batch": "b7d1", "operations": 20, "by_status": {"QUEUED": 12, "CONFIRMED": 8}},
    "OperationDetail": {**OPERATION, "history": STEPS},
    "OperationRequest": {
        "operation": "write",
        "path": "5/0/1",
        "value": "https://url.com/fw.bin",
        "expires_at": "2999-12-31T00:00:00Z",
        "priority": 10,
    },
    "Operations": {"items": [OPERATION], "next": None},
    "UpdateRequest": {
        "firmware": "9f3c5d1e7a2b4c68",
        "method": "auto",
        "install": {"window": {"start": "01:30:00", "end": "04:00:00"}},
    },
}
"""By the name of the schema."""
