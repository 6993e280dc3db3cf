"""Profiles of desired values: what resources of all devices that one chooses should be."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request

from flownexus_api.access import BriefOperator, BriefViewer
from flownexus_api.audit import write_down
from flownexus_api.desired_check import checked
from flownexus_api.desired_views import DesiredProfileGiven, DesiredProfiles, NamedDesiredProfile
from flownexus_api.documented import answers
from flownexus_api.kv_documents import Documents, IfMatch, Stored, Unreadable, revision_of
from flownexus_api.parts import Parts, PartsDep
from flownexus_schemas.desired.wish import DesiredProfile
from flownexus_schemas.subjects import Bucket

router = APIRouter(prefix="/desired-profiles", tags=["desired values"])

PROFILES = Documents(Bucket.DESIRED_PROFILES, DesiredProfile, "profile of desired values")
NAME = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

ProfileName = Annotated[str, Path(pattern=NAME, examples=["fleet"], description="Of the profile.")]


@router.get("", responses=answers(401, 503))
async def list_desired_profiles(_: BriefViewer, parts: PartsDep) -> DesiredProfiles:
    """All profiles of desired values, by name."""
    found = [await _listed(parts, name) for name in await PROFILES.keys(parts.bus)]
    return DesiredProfiles(items=[one for one in found if one is not None], next=None)


@router.get("/{profile}", responses=answers(401, 404, 409, 422, 503))
async def get_desired_profile(_: BriefViewer, parts: PartsDep, profile: ProfileName) -> NamedDesiredProfile:
    """One profile of desired values."""
    stored = await PROFILES.load(parts.bus, profile)
    if stored is None:
        raise PROFILES.unknown(profile)
    return _named(profile, stored)


@router.put("/{profile}", responses=answers(401, 403, 409, 422, 503))
async def put_desired_profile(
    *,
    who: BriefOperator,
    parts: PartsDep,
    profile: ProfileName,
    given: Annotated[DesiredProfileGiven, Body()],
    http: Request,
    if_match: IfMatch = None,
) -> NamedDesiredProfile:
    """Declare what the devices that are chosen should have, in place of what was. For operators.

    Each is written what differs, at its next sign of life; `GET /desired-values` says how they stand.
    """
    last = revision_of(if_match)
    fitted = checked(given, parts.models, {}, None)
    details = {"paths": fitted.paths}
    await write_down(parts, who, "desired-profile.changed", profile, http, details=details)
    return _named(profile, Stored(fitted, await PROFILES.store(parts.bus, profile, fitted, last)))


@router.delete("/{profile}", responses=answers(401, 403, 404, 409, 422, 503))
async def delete_desired_profile(
    who: BriefOperator, parts: PartsDep, profile: ProfileName, http: Request, if_match: IfMatch = None
) -> NamedDesiredProfile:
    """Desire it no more: what it was. Devices keep what they have. For operators."""
    last, former = revision_of(if_match), await _listed(parts, profile)
    if former is None:
        raise PROFILES.unknown(profile)
    await write_down(parts, who, "desired-profile.removed", profile, http)
    await PROFILES.remove(parts.bus, profile, last)
    return former


async def _listed(parts: Parts, name: str) -> NamedDesiredProfile | None:
    """A profile, or why it cannot be read; None where it is not there."""
    try:
        stored = await PROFILES.load(parts.bus, name)
    except Unreadable as error:
        return NamedDesiredProfile(name=name, error=str(error))
    return None if stored is None else _named(name, stored)


def _named(name: str, stored: Stored[DesiredProfile]) -> NamedDesiredProfile:
    fields = {field: getattr(stored.document, field) for field in DesiredProfile.model_fields}
    return NamedDesiredProfile(name=name, revision=stored.revision, **fields)
