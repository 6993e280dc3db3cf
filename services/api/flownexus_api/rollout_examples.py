"""The examples of rollouts in the OpenAPI document."""

from __future__ import annotations

from typing import Any

FIRMWARE = {"id": "9f3c5d1e7a2b4c68", "name": "thermometer", "version": "1.4.0"}
ROLLOUT: dict[str, Any] = {
    "id": "7d1e5a0c9b8f4e21a6d3c2b1f0e9d8c7",
    "name": "thermometers to 1.4.0",
    "status": "HALTED",
    "firmware": FIRMWARE,
    "devices": 20,
    "by_status": {"WAITING": 18, "FAILED": 2},
    "rollback_of": None,
    "requested_at": "2026-03-02T10:00:00Z",
    "requested_by": "olga",
    "starts_at": None,
    "finished_at": None,
    "last_action": "Halted: 2 of 2 devices of group 1 failed, more than 10 %: urn:imei:356400000000001 (Its update "
    "failed: The device says: the image could not be installed (8)), urn:imei:356400000000007 (It was not heard for 11 "
    "minutes after its update).",
}
GROUPS: list[dict[str, Any]] = [
    {
        "number": 1,
        "size": 2,
        "status": "over",
        "by_status": {"FAILED": 1, "QUIET": 1},
        "succeeded_percent": 90.0,
        "failed_percent": 10.0,
        "then": "next",
        "begun_at": "2026-03-02T10:00:01Z",
        "counted": 2,
        "needed": 2,
        "succeeded": 0,
        "failed": 2,
    },
    {
        "number": 2,
        "size": 18,
        "status": "waiting",
        "by_status": {"WAITING": 18},
        "succeeded_percent": 90.0,
        "failed_percent": 10.0,
        "then": "next",
        "begun_at": None,
        "counted": 18,
        "needed": 17,
        "succeeded": 0,
        "failed": 0,
    },
]
DETAIL: dict[str, Any] = {
    **ROLLOUT,
    "by_status": {"WAITING": 18, "FAILED": 1, "QUIET": 1},
    "groups": GROUPS,
    "in_flight": 50,
    "method": "auto",
    "scheme": "auto",
    "install": {"not_before": None, "window": None},
    "watch": {"seconds": 3600, "quiet_after_s": None, "more_registrations": 2},
    "on_halt": "recall",
    "give_up_after_s": None,
    "accepted_until": None,
    "rolled_back_by": None,
    "history": [
        {"time": "2026-03-02T10:00:00Z", "status": "RUNNING", "action": "Requested."},
        {"time": "2026-03-02T10:00:01Z", "status": "RUNNING", "action": "Group 1 of 2 begun: 2 devices."},
        {"time": "2026-03-02T10:25:13Z", "status": "HALTED", "action": ROLLOUT["last_action"]},
    ],
}
DEVICE: dict[str, Any] = {
    "endpoint": "urn:imei:356400000000001",
    "group": 1,
    "status": "FAILED",
    "firmware": FIRMWARE["id"],
    "version": "1.4.0",
    "version_before": None,
    "attempt": 1,
    "begun_at": "2026-03-02T10:00:01Z",
    "updated_at": None,
    "ended_at": "2026-03-02T10:09:40Z",
    "last_action": "Its update failed: The device says: the image could not be installed (8)",
    "update": "4f2a90c1d3b55e07a1b2c3d4e5f60718",
    "update_status": "FAILED",
    "waiting_for": None,
}
STEPS = [
    {"time": "2026-03-02T10:00:01Z", "status": "UPDATING", "action": "Its update to 1.4.0 was asked for."},
    {"time": "2026-03-02T10:09:40Z", "status": "FAILED", "action": DEVICE["last_action"]},
]
ROLLOUT_STREAM = """event: paused
id: 4087
data: {"specversion":"1.0","id":"7d1e5a0c-4086-paused","source":"/api","subject":"7d1e5a0c9b8f4e21a6d3c2b1f0e9d8c7",\
"time":"2026-03-02T10:03:00Z","datacontenttype":"application/json","type":"io.flownexus.rollout.paused.v1",\
"data":{"id":"7d1e5a0c9b8f4e21a6d3c2b1f0e9d8c7","status":"PAUSED","last_action":"Paused by olga."}}

: ping

"""

ROLLOUT_EXAMPLES: dict[str, dict[str, Any]] = {
    "MadeRollout": {
        "rollout": None,
        "devices": 3,
        "groups": [
            {
                "number": 1,
                "size": 1,
                "needed": 1,
                "may_fail": 0,
                "then": "pause",
                "endpoints": ["urn:imei:356400000000007"],
            },
            {
                "number": 2,
                "size": 2,
                "needed": 2,
                "may_fail": 0,
                "then": "next",
                "endpoints": ["urn:imei:356400000000001", "urn:imei:356400000000003"],
            },
        ],
        "left_out": [{"reason": "It runs 1.4.0 already.", "endpoints": ["urn:imei:356400000000002"]}],
        "notes": [
            {
                "note": "It is offline: its update waits until it registers.",
                "endpoints": ["urn:imei:356400000000003"],
            }
        ],
        "not_chosen": 0,
    },
    "RollbackRequest": {"name": "thermometers back", "dry_run": True},
    "Rollout": ROLLOUT,
    "RolloutDetail": DETAIL,
    "RolloutDevice": DEVICE,
    "RolloutDeviceDetail": {**DEVICE, "history": STEPS},
    "RolloutDevices": {"items": [DEVICE], "next": None},
    "RolloutReport": {
        "rollout": DETAIL,
        "succeeded": 0,
        "failed": 2,
        "cancelled": 0,
        "not_begun": 18,
        "under_way": 0,
        "first_update_at": "2026-03-02T10:00:01Z",
        "last_change_at": "2026-03-02T10:25:13Z",
        "durations": {"devices": 1, "median_s": 412.0, "most_s": 412.0, "longest_s": 412.0},
        "failures": [
            {"reason": DEVICE["last_action"], "devices": 1, "endpoints": ["urn:imei:356400000000001"]},
            {
                "reason": "It was not heard for 11 minutes after its update.",
                "devices": 1,
                "endpoints": ["urn:imei:356400000000007"],
            },
        ],
        "left_out": [],
    },
    "RolloutRequest": {
        "name": "thermometers to 1.4.0",
        "firmware": FIRMWARE["id"],
        "select": {"endpoints": ["urn:imei:3564*"], "tags": ["greenhouse"]},
        "groups": [{"devices": 1, "then": "pause"}, {"percent": 20}, {}],
        "in_flight": 20,
        "watch": {"seconds": 1800},
        "dry_run": True,
    },
    "Rollouts": {"items": [ROLLOUT], "next": None},
}
"""By the name of the schema."""
