"""Brings what is kept of an endpoint in line with what is desired of it, and with its registration. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from flownexus_operations.desired.device import Device
from flownexus_operations.desired.lifecycle import Listed, Unlisted, after, wished
from flownexus_operations.desired.standings import Kept
from flownexus_operations.desired.wishes import Wish
from flownexus_schemas.desired.standing import DesiredResource, DesiredState, EndpointDesired
from flownexus_schemas.lwm2m.path import Path

SETTLES = timedelta(seconds=2)
"""Within this every replica has what another one has of the buckets."""


def waits_for_the_wish(kept: Kept, wish: Wish, own: str, now: datetime) -> datetime | None:
    """Until when to wait for the wish that another replica had a moment ago; None where this one counts now.

    It may come here later than the message that rests on it, and is not to be undone for the one before. `own`: the
    source of what this replica appends.
    """
    if wish.digest == kept.desired.wish or kept.source == own:
        return None
    until = min(kept.at, now) + SETTLES
    return until if now < until else None


def aligned(desired: EndpointDesired, wish: Wish, device: Device | None, now: datetime) -> EndpointDesired:
    """The endpoint with this wish. What is desired no longer is forgotten; the device keeps what it has."""
    if wish.digest != desired.wish:
        known = {one.key: one for one in desired.resources}
        resources = tuple(wished(one, known.get((one.path, one.attribute)), now) for one in wish.resources)
        desired = desired.model_copy(update={"wish": wish.digest, "resources": resources})
    if device is None:
        return desired
    listed = tuple(_listed(one, device, now) for one in desired.resources)
    if listed == desired.resources and (not listed or device.objects == desired.objects):
        return desired
    return desired.model_copy(update={"resources": listed, "objects": device.objects})


def _listed(one: DesiredResource, device: Device, now: datetime) -> DesiredResource:
    is_listed, was_listed = device.lists(Path.parse(one.path)), one.state is not DesiredState.ABSENT
    if is_listed is was_listed:
        return one
    return after(one, Listed() if is_listed else Unlisted(), device.generation, now)
