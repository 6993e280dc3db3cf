"""Devices and events as lines of a terminal."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from rich.console import Console

from flownexus_local.api_client import Endpoint
from flownexus_local.terminal import ago, endpoint_table, event_line
from flownexus_schemas.events import parse_event

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)


def shown(renderable: object) -> str:
    """As plain text."""
    text = io.StringIO()
    Console(file=text, width=160, color_system=None).print(renderable)
    return text.getvalue().strip()


@pytest.mark.parametrize(
    ("before", "text"),
    [
        (timedelta(seconds=-5), "0 s ago"),
        (timedelta(seconds=59), "59 s ago"),
        (timedelta(minutes=61), "1 h ago"),
        (timedelta(days=3), "3 d ago"),
    ],
)
def test_a_moment_is_told_in_its_largest_unit(before: timedelta, text: str) -> None:
    assert ago(NOW - before, NOW) == text


def test_a_device_is_one_row() -> None:
    endpoint = Endpoint.model_validate(
        {
            "name": "urn:imei:[1]",
            "status": "asleep",
            "lwm2m_version": "1.1",
            "queue_mode": True,
            "lifetime_s": 300,
            "last_seen_at": NOW - timedelta(minutes=2),
            "address": {"host": "192.0.2.1", "port": 5683},
        }
    )
    row = shown(endpoint_table([endpoint], NOW)).splitlines()[1]
    assert row.split("  ") != []
    for part in ("urn:imei:[1]", "asleep", "2 min ago", "1.1 Q", "300 s", "192.0.2.1:5683"):
        assert part in row


def test_values_are_shown_with_their_paths() -> None:
    event = parse_event(
        orjson.dumps(
            {
                "specversion": "1.0",
                "id": "1",
                "source": "/gateway/gw-1",
                "subject": "sim-1",
                "time": "2026-05-04T12:00:00Z",
                "type": "io.flownexus.lwm2m.reported.v1",
                "data": {
                    "registration_id": "r",
                    "trigger": "notify",
                    "composite": False,
                    "records": [
                        {"path": "3303/0/5700", "type": "float", "value": 21.123456789, "time": "2026-05-04T12:00:00Z"}
                    ],
                    "content_format": 112,
                    "payload": "",
                    "received_at": "2026-05-04T12:00:00Z",
                },
            }
        )
    )
    assert shown(event_line(event)) == "12:00:00 sim-1 reported 3303/0/5700=21.1235"


def test_an_end_is_shown_with_its_reason() -> None:
    event = parse_event(
        orjson.dumps(
            {
                "specversion": "1.0",
                "id": "1",
                "source": "/gateway/gw-1",
                "subject": "[bold]sly",
                "time": "2026-05-04T12:00:00Z",
                "type": "io.flownexus.lwm2m.deregistered.v1",
                "data": {"registration_id": "r", "reason": "expired"},
            }
        )
    )
    assert shown(event_line(event)) == "12:00:00 [bold]sly deregistered expired"
