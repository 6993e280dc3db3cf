"""What to ask a device for next, so that it comes to have what is desired. Pure; the clock is an argument.

First what is not known is read, then what differs is written, then what was written is read back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from flownexus_operations.desired.device import COMPOSITE_SINCE, Device
from flownexus_operations.desired.lifecycle import FREE_REVERTS, SERVER_SIDE
from flownexus_operations.desired.wishes import Wished
from flownexus_schemas.commands import (
    AnyCommand,
    DiscoverResources,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteAttributes,
    WriteComposite,
    WriteResource,
)
from flownexus_schemas.desired.standing import DesiredResource, DesiredState, EndpointDesired

TIMEOUT_S = 60.0
"""Of each attempt. A device that is there answers the third retransmission at the latest."""

MOST_TOGETHER = 30
"""Resources in one composite request: small devices have small buffers."""


class Need(StrEnum):
    """What a desired value waits for."""

    READ = "read"
    WRITE = "write"
    VERIFY = "verify"


class Ask(NamedTuple):
    """A request, and the desired values that it is about."""

    command: AnyCommand
    about: tuple[DesiredResource, ...]


def need(one: DesiredResource, device: Device, now: datetime, check_every: timedelta) -> Need | None:
    """What is to be done about it while the device listens. `check_every`: what holds is read again; 0 for never."""
    if one.state is DesiredState.ABSENT or _is_paused(one, device, now):
        return None
    if one.accepted_at is not None:
        return Need.VERIFY
    if one.hidden:
        return None if one.holds and one.checked_in == device.generation else Need.WRITE
    if one.holds is None or not _is_fresh(one, device, now, check_every):
        return Need.READ
    return None if one.holds else Need.WRITE


def next_ask(
    desired: EndpointDesired,
    wish: Mapping[tuple[str, str], Wished],
    device: Device,
    now: datetime,
    check_every: timedelta,
) -> Ask | None:
    """The next request; None where nothing is to be asked now."""
    needs: dict[tuple[Need, bool], list[DesiredResource]] = {}
    for one in desired.resources:
        if (needed := need(one, device, now, check_every)) is not None:
            needs.setdefault((needed, one.attribute is not None), []).append(one)
    for needed in Need:
        if values := needs.get((needed, False)):
            return _of_values(needed, desired, values, wish, device)
        if attributes := needs.get((needed, True)):
            return _of_attributes(needed, desired, attributes, wish)
    return None


def _is_paused(one: DesiredResource, device: Device, now: datetime) -> bool:
    """A refusal waits for the next registration, and for its time; what went back, for either."""
    if one.state is DesiredState.REFUSED and one.refused_in == device.generation:
        return not (one.code or "").startswith(SERVER_SIDE) or _is_before(now, one.retry_at)
    if not _is_before(now, one.retry_at):
        return False
    registered_anew = one.checked_in is not None and one.checked_in != device.generation
    return not (one.state is DesiredState.DRIFTED and one.reverts <= FREE_REVERTS and registered_anew)


def _is_before(now: datetime, when: datetime | None) -> bool:
    return when is not None and now < when


def _is_fresh(one: DesiredResource, device: Device, now: datetime, check_every: timedelta) -> bool:
    if one.checked_in != device.generation or one.checked_at is None:
        return False
    return not check_every or now - one.checked_at < check_every


def _of_values(
    needed: Need,
    desired: EndpointDesired,
    resources: Sequence[DesiredResource],
    wish: Mapping[tuple[str, str], Wished],
    device: Device,
) -> Ask:
    together = device.lwm2m_version >= COMPOSITE_SINCE and desired.single_in != device.generation
    chosen = tuple(resources[: MOST_TOGETHER if together and desired.composite_failures <= 1 else 1])
    common = {"endpoint": desired.endpoint, "timeout_s": TIMEOUT_S}
    paths = tuple(one.path for one in chosen)
    if needed is not Need.WRITE:
        single = len(paths) == 1
        return Ask(ReadResource(path=paths[0], **common) if single else ReadComposite(paths=paths, **common), chosen)
    values = tuple(_value(wish[one.key]) for one in chosen)
    if len(values) == 1:
        return Ask(WriteResource(path=paths[0], values=values, **common), chosen)
    return Ask(WriteComposite(values=values, **common), chosen)


def _of_attributes(
    needed: Need,
    desired: EndpointDesired,
    resources: Sequence[DesiredResource],
    wish: Mapping[tuple[str, str], Wished],
) -> Ask:
    """All attributes of one path."""
    path = resources[0].path
    chosen = tuple(one for one in resources if one.path == path)
    if needed is not Need.WRITE:
        return Ask(DiscoverResources(endpoint=desired.endpoint, path=path, timeout_s=TIMEOUT_S), chosen)
    attributes = {one.attribute: wish[one.key].value for one in chosen}
    return Ask(
        WriteAttributes.model_validate(
            {"endpoint": desired.endpoint, "path": path, "attributes": attributes, "timeout_s": TIMEOUT_S}
        ),
        chosen,
    )


def _value(wished: Wished) -> PathValue:
    assert wished.value is not None
    return PathValue(path=wished.path, value=wished.value, type=wished.type)
