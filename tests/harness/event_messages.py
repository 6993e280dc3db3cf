"""Events as they stand in LWM2M_EVENTS, written as JSON by hand: a mistake in our own models cannot hide in them."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from nats.js import JetStreamContext

_numbers = itertools.count(1)


class EventMessage(NamedTuple):
    """What is published: `id` goes into Nats-Msg-Id."""

    subject: str
    payload: bytes
    id: str


def event_message(endpoint: str, kind: str, at: datetime, data: dict[str, Any], **changes: Any) -> EventMessage:
    """Any event; `changes` replace attributes of the envelope. The endpoint's name needs no escape."""
    envelope = {
        "specversion": "1.0",
        "id": f"event-{next(_numbers)}",
        "source": "/gateway/gw-1",
        "type": f"io.flownexus.lwm2m.{kind}.v1",
        "subject": endpoint,
        "time": at.isoformat(),
        "datacontenttype": "application/json",
        "data": data,
    } | changes
    return EventMessage(f"lwm2m.event.{endpoint}.{kind}", json.dumps(envelope).encode(), str(envelope["id"]))


def registration(registration_id: str = "reg1", **changes: Any) -> dict[str, Any]:
    """The data of `registered` and `updated`."""
    return {
        "registration_id": registration_id,
        "lifetime_s": 60,
        "lwm2m_version": "1.1",
        "binding": "U",
        "queue_mode": False,
        "awake_window_s": 93.0,
        "address": {"host": "192.0.2.1", "port": 56830},
        "identity": None,
        "gateway": "gw-1",
        "object_links": ["1/0", "3/0", "3303/0"],
        "object_versions": {"3": "1.1"},
        "content_formats": [112],
        "root_path": "/",
        "links": "</1/0>,</3/0>;ver=1.1,</3303/0>",
        "warnings": [],
    } | changes


def record(path: str, kind: str, value: Any, at: datetime, *, anchored: bool = False) -> dict[str, Any]:
    """One value of a report."""
    return {"path": path, "type": kind, "value": value, "time": at.isoformat(), "anchored": anchored}


def report(received_at: datetime, records: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """The data of `reported`."""
    return {
        "registration_id": "reg1",
        "trigger": "notify",
        "composite": False,
        "event_type": None,
        "observation": {"token": "0102", "paths": ["3303/0/5700"]},
        "records": list(records),
        "content_format": 112,
        "payload": "gaA=",
        "undecoded": None,
        "received_at": received_at.isoformat(),
    } | changes


def registered(endpoint: str, at: datetime, registration_id: str = "reg1", **changes: Any) -> EventMessage:
    return event_message(endpoint, "registered", at, registration(registration_id, **changes))


def updated(endpoint: str, at: datetime, registration_id: str = "reg1", **changes: Any) -> EventMessage:
    return event_message(endpoint, "updated", at, registration(registration_id, **changes))


def deregistered(endpoint: str, at: datetime, registration_id: str = "reg1", reason: str = "request") -> EventMessage:
    return event_message(endpoint, "deregistered", at, {"registration_id": registration_id, "reason": reason})


def reported(endpoint: str, at: datetime, *records: dict[str, Any], **changes: Any) -> EventMessage:
    return event_message(endpoint, "reported", at, report(at, records, **changes))


async def publish(js: JetStreamContext, *messages: EventMessage) -> int:
    """Publish in this order; the sequence of the last."""
    sequence = 0
    for message in messages:
        ack = await js.publish(message.subject, message.payload, headers={"Nats-Msg-Id": message.id})
        sequence = ack.seq
    return sequence
