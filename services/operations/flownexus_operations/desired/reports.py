"""What devices report by themselves, as far as something else is desired. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import orjson

from flownexus_operations.desired.comparison import is_equal
from flownexus_operations.desired.device import Device
from flownexus_operations.desired.lifecycle import seen
from flownexus_operations.desired.wishes import Wished
from flownexus_schemas.commands import JsonValue
from flownexus_schemas.desired.standing import DesiredResource, DesiredState, EndpointDesired

CROSSING = timedelta(seconds=2)
"""What was reported before a write was carried out may come after its answer."""


class Reported(NamedTuple):
    """The newest value of one resource in a report. `time` is None where the device gave none."""

    value: JsonValue
    time: datetime | None
    received_at: datetime
    registration_id: str


def reported(payload: bytes, paths: Collection[str]) -> dict[str, Reported]:
    """The values of these paths in a `reported` event; none where it is no such event."""
    try:
        data = orjson.loads(payload)["data"]
        received_at = datetime.fromisoformat(data["received_at"])
        found: dict[str, Reported] = {}
        for record in data["records"]:
            if (path := record["path"]) not in paths:
                continue
            time = None if record.get("anchored") else datetime.fromisoformat(record["time"])
            known = found.get(path)
            if known is None or known.time is None or time is None or time >= known.time:
                found[path] = Reported(record["value"], time, received_at, data["registration_id"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return {}
    return found


def told(
    desired: EndpointDesired,
    reports: Mapping[str, Reported],
    wish: Mapping[tuple[str, str], Wished],
    device: Device | None,
) -> EndpointDesired:
    """The endpoint after these reports; as it was where they tell nothing new, or of a former registration."""
    if device is None or not reports:
        return desired
    resources = tuple(
        _told(one, reports[one.path], wish[one.key], device) if not one.attribute and one.path in reports else one
        for one in desired.resources
    )
    return desired if resources == desired.resources else desired.model_copy(update={"resources": resources})


def _told(one: DesiredResource, report: Reported, wished: Wished, device: Device) -> DesiredResource:
    if report.registration_id != device.registration_id or _is_older(one, report, device):
        return one
    holds = is_equal(wished.value, report.value, one.type)
    if holds is one.holds and one.accepted_at is None and (not holds or one.state is DesiredState.IN_SYNC):
        return one
    if not holds and one.accepted_at is not None and report.received_at < one.accepted_at + CROSSING:
        return one
    return seen(one, report.value, wished.value, device.generation, report.received_at)


def _is_older(one: DesiredResource, report: Reported, device: Device) -> bool:
    """Whether we know of something newer: devices also send what they stored while nobody listened."""
    if one.checked_at is not None and report.received_at < one.checked_at:
        return True
    if report.time is None:
        return False
    known_s = device.registered_at if one.checked_at is None else one.checked_at.timestamp()
    return report.time.timestamp() < known_s
