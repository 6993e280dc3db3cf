"""Which profile is in force for a device, and profiles applied to devices that are registered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import Row, text

from flownexus_api import profile_bucket
from flownexus_api.access import BriefViewer, ConfiguringOperator
from flownexus_api.audit import write_down
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName, unknown_endpoint
from flownexus_api.paging import Page
from flownexus_api.parts import Parts, PartsDep
from flownexus_api.profile_standings import ask_profile, newest
from flownexus_api.routers.profiles import ProfileName
from flownexus_schemas.errors import Conflict, NotFound, Unavailable
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.profile_standing import AskProfile
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile, choose

router = APIRouter(tags=["profiles"])

ONE = "select name, status, gateway, object_links from endpoint_status where name = :name"
REGISTERED = "select name, status, gateway, object_links from endpoint_status where status <> 'offline' order by name"

AT_A_TIME = 100
"""Endpoints that gateways are asked about at the same time."""

Timeout = Annotated[
    float, Query(ge=0, le=60, description="Seconds to wait for devices; what is not done by then goes on by itself.")
]


class EndpointProfile(BaseModel):
    """The profile in force for an endpoint, what was done to apply it, and what still differs.

    Each text of a list has the paths of one observation, joined by a comma.
    """

    endpoint: str
    profile: str
    state: Literal["in-force", "differs", "under-way", "asleep", "no-answer", "not-registered", "unavailable"] = Field(
        description="in-force: the device is observed as the profile says. differs: it was not applied since it "
        "changed, or the device refused a part of it. under-way: being applied. asleep, no-answer: applied at the "
        "device's next message. not-registered: in force at its next registration. unavailable: its gateway is away."
    )
    observed: list[str] = Field(default=[], description="Observed now, and not before.")
    refused: list[str] = Field(default=[], description="Asked for, and not observed.")
    cancelled: list[str] = Field(default=[], description="Observed no more.")
    changed: list[str] = Field(default=[], description="Observed as before, with other attributes or event type.")
    differences: list[str] = Field(default=[], description="Observations that are to begin, to end or to change.")


class EndpointProfiles(Page[EndpointProfile]):
    """Endpoints that a profile is in force for; always one page."""


@router.get("/endpoints/{endpoint}/profile", responses=answers(401, 404, 422, 503))
async def get_endpoint_profile(_: BriefViewer, parts: PartsDep, name: EndpointName) -> EndpointProfile:
    """The profile in force for a device, and whether it is observed that way."""
    device = await _device(parts, name)
    return await _stand(parts, device, await _profiles(parts), AskProfile(endpoint=name))


@router.post("/endpoints/{endpoint}/profile/apply", responses=answers(401, 403, 404, 422, 503))
async def apply_endpoint_profile(
    who: ConfiguringOperator, parts: PartsDep, name: EndpointName, http: Request, timeout_s: Timeout = 10
) -> EndpointProfile:
    """Bring what a device is observed for in line with its profile, without a new registration.

    Observations that the profile does not name end, unless somebody asked for them by request.
    """
    device = await _device(parts, name)
    await write_down(parts, who, "endpoint.profile-applied", name, http)
    profiles_revision, tags_revision = await newest(parts.bus)
    question = AskProfile(
        endpoint=name,
        apply=True,
        timeout_s=timeout_s,
        profiles_revision=profiles_revision,
        tags_revision=tags_revision,
    )
    return await _stand(parts, device, await _profiles(parts), question)


@router.post("/profiles/{profile}/apply", responses=answers(401, 403, 404, 422, 503))
async def apply_profile(
    who: ConfiguringOperator, parts: PartsDep, profile: ProfileName, http: Request, timeout_s: Timeout = 10
) -> EndpointProfiles:
    """Bring all registered devices that a profile is in force for in line with it, without a new registration.

    The answer says for each what was done, and what waits.
    """
    profiles = await _profiles(parts)
    if profile not in profiles and profile != DEFAULT_KEY:
        raise profile_bucket.unknown(profile)
    profiles_revision, tags_revision = await newest(parts.bus)
    async with parts.engine.begin() as connection:
        registered = (await connection.execute(text(REGISTERED))).all()
    chosen = [device for device in registered if _chosen(parts, device, profiles) == profile]
    await write_down(parts, who, "profile.applied", profile, http)
    deadline, at_a_time = time.monotonic() + timeout_s, asyncio.Semaphore(AT_A_TIME)

    async def one(device: Row[Any]) -> EndpointProfile:
        async with at_a_time:
            question = AskProfile(
                endpoint=device.name,
                apply=True,
                timeout_s=max(0.0, deadline - time.monotonic()),
                profiles_revision=profiles_revision,
                tags_revision=tags_revision,
            )
            return await _stand(parts, device, profiles, question)

    standings: Sequence[EndpointProfile] = await asyncio.gather(*map(one, chosen))
    return EndpointProfiles(items=list(standings), next=None)


async def _stand(
    parts: Parts, device: Row[Any], profiles: dict[str, ObservationProfile], question: AskProfile
) -> EndpointProfile:
    """What the gateway says; which profile it is we know ourselves where there is no gateway to ask."""
    here = EndpointProfile(
        endpoint=device.name, profile=_chosen(parts, device, profiles), state="not-registered"
    )  # fmt: skip
    if device.status == "offline" or device.gateway is None:
        return here
    try:
        standing = await ask_profile(parts.bus, device.gateway, question)
    except Conflict:
        return here
    except Unavailable:
        return here.model_copy(update={"state": "unavailable"})
    return EndpointProfile.model_validate(standing, from_attributes=True)


def _chosen(parts: Parts, device: Row[Any], profiles: dict[str, ObservationProfile]) -> str:
    objects = {Path.parse(link).object_id for link in device.object_links}
    ids = {object_id for object_id in objects if object_id is not None}
    return choose(profiles, device.name, ids, parts.bus.loaded_tags().of(device.name))[0]


async def _device(parts: Parts, name: str) -> Row[Any]:
    found = None
    if "\0" not in name:
        async with parts.engine.begin() as connection:
            found = (await connection.execute(text(ONE), {"name": name})).one_or_none()
    if found is None:
        raise unknown_endpoint(name)
    return found


async def _profiles(parts: Parts) -> dict[str, ObservationProfile]:
    """Those that can be read, by name. Raises Unavailable."""
    found: dict[str, ObservationProfile] = {}
    for name in await profile_bucket.names(parts.bus):
        try:
            found[name] = await profile_bucket.load(parts.bus, name)
        except (profile_bucket.UnreadableProfile, NotFound):
            continue
    return found
