"""Desired values of endpoints, and how those of the whole fleet stand."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Request
from sqlalchemy import ColumnElement, func, select, text, tuple_

from flownexus_api.access import BriefOperator, BriefViewer, Viewer
from flownexus_api.audit import write_down
from flownexus_api.desired_check import checked
from flownexus_api.desired_views import (
    COLUMNS,
    DesiredCounts,
    DesiredOfEndpoint,
    DesiredStandings,
    EndpointDesiredValues,
    standing,
)
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName
from flownexus_api.kv_documents import Documents, IfMatch, revision_of
from flownexus_api.paging import NO_NUL, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.routers.desired_profiles import NAME
from flownexus_schemas import subjects
from flownexus_schemas.desired.standing import DesiredState
from flownexus_schemas.desired.wish import DesiredValues
from flownexus_schemas.endpoint_tags import MAX_TAGS, Tag
from flownexus_schemas.errors import InvalidRequest, NotFound
from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.object_model import version_key
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.subjects import Bucket
from flownexus_schemas.tables import DesiredValue as Kept

router = APIRouter(tags=["desired values"])

OWN = Documents(Bucket.DESIRED_VALUES, DesiredValues, "entry of desired values")
STATED = "select object_versions, lwm2m_version from endpoint where name = :name"
KEY = (Kept.endpoint, Kept.path, Kept.attribute)

OfEndpoint = Annotated[str | None, Query(max_length=255, pattern=NO_NUL, description="Only this endpoint.")]
OfState = Annotated[list[DesiredState] | None, Query(description="Only these; repeat it for several.")]
OfProfile = Annotated[str | None, Query(pattern=NAME, description="Only what is of this profile.")]
OfPath = Annotated[str | None, Query(max_length=30, description="Only this path.", examples=["1/0/1"])]
OfTags = Annotated[list[Tag] | None, Query(max_length=MAX_TAGS, description="Only endpoints with each of these.")]


@router.get("/endpoints/{endpoint}/desired", responses=answers(401, 409, 422, 503))
async def get_endpoint_desired(_: BriefViewer, parts: PartsDep, name: EndpointName) -> EndpointDesiredValues:
    """What is desired of an endpoint, whether it ever registered or not, and how it stands."""
    stored = await OWN.load(parts.bus, subjects.endpoint_key(name))
    if stored is None:
        return await _shown(parts, name, DesiredValues(), None)
    return await _shown(parts, name, *stored)


@router.put("/endpoints/{endpoint}/desired", responses=answers(401, 403, 409, 422, 503))
async def put_endpoint_desired(
    *,
    who: BriefOperator,
    parts: PartsDep,
    name: EndpointName,
    given: Annotated[DesiredOfEndpoint, Body()],
    http: Request,
    if_match: IfMatch = None,
) -> EndpointDesiredValues:
    """Declare what resources of an endpoint should be, in place of what was declared for it. For operators.

    What differs is written at its next sign of life, read back, and written again where it is lost. It counts before
    what profiles say of the same resource.
    """
    key, last = subjects.endpoint_key(name), revision_of(if_match)
    versions, lwm2m_version = await _stated(parts, name)
    fitted = checked(given, parts.models, versions, lwm2m_version)
    await write_down(parts, who, "endpoint.desired", name, http, details={"paths": fitted.paths})
    return await _shown(parts, name, fitted, await OWN.store(parts.bus, key, fitted, last))


@router.delete("/endpoints/{endpoint}/desired", responses=answers(401, 403, 404, 409, 422, 503))
async def delete_endpoint_desired(
    who: BriefOperator, parts: PartsDep, name: EndpointName, http: Request, if_match: IfMatch = None
) -> EndpointDesiredValues:
    """Declare nothing for an endpoint any more: what it was. It keeps what it has; profiles go on. For operators."""
    key, last = subjects.endpoint_key(name), revision_of(if_match)
    former = await OWN.load(parts.bus, key)
    if former is None:
        raise NotFound(f"Nothing is declared for {name!r}.")
    await write_down(parts, who, "endpoint.desired-removed", name, http)
    await OWN.remove(parts.bus, key, last)
    return await _shown(parts, name, *former)


@router.get("/desired-values", responses=answers(401, 422, 503))
async def list_desired_values(
    *,
    _: Viewer,
    database: Database,
    parts: PartsDep,
    endpoint: OfEndpoint = None,
    state: OfState = None,
    profile: OfProfile = None,
    path: OfPath = None,
    tag: OfTags = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> DesiredStandings:
    """Desired values of all endpoints and how they stand; with `state=drifted` and others, what is not as it should."""
    conditions = _conditions(parts, profile=profile, path=path, tags=tag)
    query = select(*COLUMNS).where(*conditions).order_by(*KEY).limit(limit + 1)
    if endpoint is not None:
        query = query.where(Kept.endpoint == endpoint)
    if state:
        query = query.where(Kept.state.in_([one.value for one in state]))
    if cursor:
        query = query.where(tuple_(*KEY) > tuple_(*keys_of(cursor, "+desired", (str, str, str))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    following = cursor_of("+desired", rows[-1].endpoint, rows[-1].path, rows[-1].attribute) if more else None
    return DesiredStandings(items=[standing(row) for row in rows], next=following)


@router.get("/desired-values/counts", responses=answers(401, 422, 503))
async def count_desired_values(
    *,
    _: Viewer,
    database: Database,
    parts: PartsDep,
    profile: OfProfile = None,
    path: OfPath = None,
    tag: OfTags = None,
) -> DesiredCounts:
    """How many desired values stand where: how far a change of a profile is."""
    conditions = _conditions(parts, profile=profile, path=path, tags=tag)
    counted = await database.execute(select(Kept.state, func.count()).where(*conditions).group_by(Kept.state))
    by_state = {DesiredState(state): number for state, number in counted}
    number = await database.scalar(select(func.count(Kept.endpoint.distinct())).where(*conditions))
    return DesiredCounts(endpoints=number or 0, values=sum(by_state.values()), by_state=by_state)


def _conditions(
    parts: Parts, *, profile: str | None, path: str | None, tags: list[str] | None
) -> list[ColumnElement[bool]]:
    """Of the filters that lists and counts have in common. Raises InvalidRequest, Unavailable."""
    found: list[ColumnElement[bool]] = []
    if profile is not None:
        found.append(Kept.profile == profile)
    if path is not None:
        found.append(Kept.path == _path(path))
    if tags:
        found.append(Kept.endpoint.in_(parts.bus.loaded_tags().with_all(frozenset(tags))))
    return found


def _path(given: str) -> str:
    try:
        return str(Path.parse(given))
    except InvalidPath as error:
        raise InvalidRequest(f"query.path: {error}.") from error


async def _shown(parts: Parts, name: str, own: DesiredValues, revision: int | None) -> EndpointDesiredValues:
    query = select(*COLUMNS).where(Kept.endpoint == name.replace("\0", "\N{SYMBOL FOR NULL}")).order_by(*KEY)
    async with parts.engine.begin() as connection:
        rows = (await connection.execute(query)).all()
    return EndpointDesiredValues(
        endpoint=name,
        revision=revision,
        values=own.values,
        attributes=own.attributes,
        standing=[standing(row) for row in rows],
    )


async def _stated(parts: Parts, name: str) -> tuple[dict[int, str], tuple[int, int] | None]:
    """Versions of objects and of LwM2M, as the device stated them; none where it never registered."""
    if "\0" in name:
        return {}, None
    async with parts.engine.begin() as connection:
        found = (await connection.execute(text(STATED), {"name": name})).one_or_none()
    if found is None:
        return {}, None
    versions = {int(object_id): version for object_id, version in found.object_versions.items()}
    return versions, version_key(found.lwm2m_version or "")
