"""Observation profiles: what is observed and read when a device registers."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Path, Request
from pydantic import ConfigDict

from flownexus_api import profile_bucket
from flownexus_api.access import ConfiguringOperator, Viewer
from flownexus_api.audit import write_down
from flownexus_api.documented import answers
from flownexus_api.paging import Page
from flownexus_api.parts import Parts, PartsDep
from flownexus_schemas.errors import InvalidRequest, NotFound
from flownexus_schemas.lwm2m.content_format import COMPOSITE_FORMATS, ContentFormat
from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.path import Path as Lwm2mPath
from flownexus_schemas.profiles import ObservationProfile

router = APIRouter(prefix="/profiles", tags=["profiles"])

ProfileName = Annotated[
    str, Path(pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$", examples=["default"], description="Of the profile.")
]


class Profile(ObservationProfile):
    """What to observe and read at registration, of which devices."""

    model_config = ConfigDict(extra="forbid")


class NamedProfile(ObservationProfile):
    """A profile with its name. `error`: why it cannot be read; gateways then go on with the one before."""

    name: str
    error: str | None = None


class Profiles(Page[NamedProfile]):
    """The profiles; always one page."""


@router.get("", responses=answers(401, 503))
async def list_profiles(_: Viewer, parts: PartsDep) -> Profiles:
    """All profiles, by name. Where a device meets none, it is `default` that counts."""
    names = await profile_bucket.names(parts.bus)
    found = [await _listed(parts, name) for name in names]
    return Profiles(items=[one for one in found if one is not None], next=None)


@router.get("/{profile}", responses=answers(401, 404, 409, 422, 503))
async def get_profile(_: Viewer, parts: PartsDep, profile: ProfileName) -> NamedProfile:
    """One profile."""
    return _named(profile, await profile_bucket.load(parts.bus, profile))


@router.put("/{profile}", responses=answers(401, 403, 422, 503))
async def put_profile(
    *, who: ConfiguringOperator, parts: PartsDep, profile: ProfileName, given: Annotated[Profile, Body()], http: Request
) -> NamedProfile:
    """Make a profile or put another in its place. It is in force for each device at its next registration."""
    _check(given)
    await write_down(parts, who, "profile.changed", profile, http)
    await profile_bucket.store(parts.bus, profile, given)
    return _named(profile, given)


@router.delete("/{profile}", responses=answers(401, 403, 404, 422, 503))
async def delete_profile(
    who: ConfiguringOperator, parts: PartsDep, profile: ProfileName, http: Request
) -> NamedProfile:
    """Take a profile away: what it was. In place of `default`, the one that Flow Nexus comes with is in force."""
    former = await _listed(parts, profile)
    if former is None:
        raise profile_bucket.unknown(profile)
    await write_down(parts, who, "profile.removed", profile, http)
    await profile_bucket.remove(parts.bus, profile)
    return former


async def _listed(parts: Parts, name: str) -> NamedProfile | None:
    """A profile, or why it cannot be read; None where it went away."""
    try:
        return _named(name, await profile_bucket.load(parts.bus, name))
    except profile_bucket.UnreadableProfile as error:
        return NamedProfile(name=name, error=str(error))
    except NotFound:
        return None


def _check(profile: Profile) -> None:
    """Raises InvalidRequest for a path or a format that cannot be."""
    singles = (single.path for single in profile.observe)
    together = (path for composite in profile.observe_composite for path in composite.paths)
    for path in (*singles, *together, *profile.read_once):
        try:
            Lwm2mPath.parse(path)
        except InvalidPath as error:
            raise InvalidRequest(f"{path}: {error}.") from error
    for format_ in (profile.format, *(single.format for single in profile.observe)):
        if format_ is not None and format_ not in set(ContentFormat):
            raise InvalidRequest(f"format: {format_} is no Content-Format of LwM2M.")
    for composite in profile.observe_composite:
        if composite.format is not None and composite.format not in COMPOSITE_FORMATS:
            fitting = ", ".join(str(int(format_)) for format_ in sorted(COMPOSITE_FORMATS))
            raise InvalidRequest(f"format: {composite.format} is not for composite ones; take one of {fitting}.")


def _named(name: str, profile: ObservationProfile) -> NamedProfile:
    return NamedProfile(name=name, **{field: getattr(profile, field) for field in ObservationProfile.model_fields})
