"""Profiles of bootstraps: what all devices that one chooses are given."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request

from flownexus_api.access import BriefViewer, CredentialsAdministrator
from flownexus_api.audit import written_down
from flownexus_api.bootstrap_requests import BootstrapProfileGiven, profile
from flownexus_api.bootstrap_views import BootstrapProfiles, NamedBootstrapProfile, named
from flownexus_api.documented import answers
from flownexus_api.kv_documents import Documents, IfMatch, Unreadable, revision_of
from flownexus_api.parts import Parts, PartsDep
from flownexus_schemas.bootstrap.configuration import BootstrapProfile
from flownexus_schemas.subjects import Bucket

router = APIRouter(prefix="/bootstrap/profiles", tags=["bootstrap"])

PROFILES = Documents(Bucket.BOOTSTRAP_PROFILES, BootstrapProfile, "bootstrap profile")

NAME = "^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"

ProfileName = Annotated[str, Path(alias="profile", pattern=NAME, examples=["meters"], description="Of the profile.")]


@router.get("", responses=answers(401, 503))
async def list_bootstrap_profiles(_: BriefViewer, parts: PartsDep) -> BootstrapProfiles:
    """All profiles of bootstraps, by name."""
    found = [await listed(parts, name) for name in await PROFILES.keys(parts.bus)]
    return BootstrapProfiles(items=[one for one in found if one is not None], next=None)


@router.get("/{profile}", responses=answers(401, 404, 409, 422, 503))
async def get_bootstrap_profile(_: BriefViewer, parts: PartsDep, name: ProfileName) -> NamedBootstrapProfile:
    """One profile."""
    stored = await PROFILES.load(parts.bus, name)
    if stored is None:
        raise PROFILES.unknown(name)
    return named(name, *stored)


@router.put("/{profile}", responses=answers(401, 403, 409, 422, 503))
async def put_bootstrap_profile(
    *,
    who: CredentialsAdministrator,
    parts: PartsDep,
    name: ProfileName,
    given: Annotated[BootstrapProfileGiven, Body()],
    http: Request,
    if_match: IfMatch = None,
) -> NamedBootstrapProfile:
    """Say what the devices that are chosen are given at their next bootstrap. For administrators."""
    last, kept = revision_of(if_match), profile(given, parts.models)
    details = {"servers": [server.uri for server in kept.servers]}
    async with written_down(parts, who, "bootstrap-profile.changed", name, http, details=details):
        return named(name, kept, await PROFILES.store(parts.bus, name, kept, last))


@router.delete("/{profile}", responses=answers(401, 403, 404, 409, 422, 503))
async def delete_bootstrap_profile(
    who: CredentialsAdministrator, parts: PartsDep, name: ProfileName, http: Request, if_match: IfMatch = None
) -> NamedBootstrapProfile:
    """Take a profile away: what it was. Devices keep what they were given. For administrators."""
    last, former = revision_of(if_match), await listed(parts, name)
    if former is None:
        raise PROFILES.unknown(name)
    async with written_down(parts, who, "bootstrap-profile.removed", name, http):
        await PROFILES.remove(parts.bus, name, last)
    return former


async def listed(parts: Parts, name: str) -> NamedBootstrapProfile | None:
    """A profile, or why it cannot be read; None where it is not there."""
    try:
        stored = await PROFILES.load(parts.bus, name)
    except Unreadable as error:
        return NamedBootstrapProfile(name=name, error=str(error))
    return None if stored is None else named(name, *stored)
