"""Object models: those that Flow Nexus came with or was started with, and those uploaded."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import BaseModel, Field
from sqlalchemy import text

from flownexus_api.access import ConfiguringAdministrator, Viewer
from flownexus_api.audit import write_down
from flownexus_api.documented import answers
from flownexus_api.paging import Page
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_runtime.live_models import model_key
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound, Unavailable
from flownexus_schemas.lwm2m.ddf import parse_ddf
from flownexus_schemas.lwm2m.errors import InvalidObjectModel
from flownexus_schemas.lwm2m.object_model import ObjectModel
from flownexus_schemas.lwm2m.path import MAX_ID
from flownexus_schemas.subjects import Bucket

router = APIRouter(prefix="/models", tags=["models"])

DDF = {"requestBody": {"required": True, "content": {"application/xml": {"schema": {"type": "string"}}}}}

MAX_DDF = 900_000
"""Bytes of a file that is uploaded: one entry of a KV bucket holds it."""

LISTED = text("""
select split_part(link, '/', 1)::integer as object_id, count(distinct endpoint.id) as endpoints
from endpoint, jsonb_array_elements_text(endpoint.object_links) as link where endpoint.registered group by 1 order by 1
""")
SENT = text("""
select resource_type.object_id, resource_type.resource_id, resource_type.object_name,
    count(distinct latest_value.endpoint_id) as endpoints, array_agg(distinct latest_value.data_type) as types,
    max(latest_value.received_at) as last_received_at
from resource_type join latest_value on latest_value.resource_type_id = resource_type.id
where resource_type.name is null group by 1, 2, 3 order by 1, 2
""")

ObjectId = Annotated[int, Path(ge=0, le=MAX_ID, examples=[26241])]
Version = Annotated[str, Path(max_length=20, examples=["1.0"])]


class KnownObject(BaseModel):
    """One version of one object. Versions stand side by side; a device's own, or the nearest, is used for it."""

    id: int
    version: str
    name: str
    urn: str
    resources: int = Field(description="How many resources it has.")
    uploaded: bool = Field(description="Whether it was uploaded, and not part of the installation.")


class Models(Page[KnownObject]):
    """Object models; always one page."""


class DefinedResource(BaseModel):
    """A resource of an object, as its definition has it."""

    id: int
    name: str
    type: str | None = Field(description="Null where there is no value, as for an executable resource.")
    operations: str = Field(description="R, W, RW, E, or empty for what only a bootstrap server reaches.")
    multiple: bool
    mandatory: bool
    units: str
    range_enumeration: str
    description: str


class DefinedObject(KnownObject):
    """One version of one object with its resources."""

    description: str
    definition: list[DefinedResource]


class UnknownResource(BaseModel):
    """A resource that devices sent and no model names; `types` are those in which its values are kept."""

    id: int
    endpoints: int = Field(description="How many endpoints sent it.")
    types: list[str]
    last_received_at: datetime


class UnknownObject(BaseModel):
    """An object without a model, or with resources that its model lacks."""

    id: int
    name: str | None = Field(description="Null where there is no model of the object at all.")
    listed_by: int = Field(description="How many registered endpoints list it.")
    resources: list[UnknownResource]


class UnknownObjects(Page[UnknownObject]):
    """Objects, by id; always one page."""


@router.get("", responses=answers(401, 503))
async def list_models(_: Viewer, parts: PartsDep) -> Models:
    """All object models, by id and version."""
    return Models(items=[_known(model, uploaded=parts.models.is_uploaded(model)) for model in parts.models], next=None)


@router.get("/unknown", responses=answers(401, 503))
async def list_unknown(_: Viewer, parts: PartsDep, database: Database) -> UnknownObjects:
    """What devices list or sent that no model names. Its values are kept as they came; a model that is uploaded names
    them and decodes them again.
    """
    found: dict[int, UnknownObject] = {}
    for object_id, endpoints in await database.execute(LISTED):
        if object_id not in parts.models:
            found[object_id] = UnknownObject(id=object_id, name=None, listed_by=endpoints, resources=[])
    listed = {object_id: unknown.listed_by for object_id, unknown in found.items()}
    for row in await database.execute(SENT):
        unknown = found.setdefault(
            row.object_id,
            UnknownObject(id=row.object_id, name=row.object_name, listed_by=listed.get(row.object_id, 0), resources=[]),
        )
        unknown.resources.append(
            UnknownResource(
                id=row.resource_id, endpoints=row.endpoints, types=row.types, last_received_at=row.last_received_at
            )
        )
    return UnknownObjects(items=[found[object_id] for object_id in sorted(found)], next=None)


@router.get("/{object_id}/{version}", responses=answers(401, 404, 422, 503))
async def get_model(_: Viewer, parts: PartsDep, object_id: ObjectId, version: Version) -> DefinedObject:
    """One version of one object with its resources."""
    model = _model(parts, object_id, version)
    return DefinedObject(
        **_known(model, uploaded=parts.models.is_uploaded(model)).model_dump(),
        description=model.description,
        definition=[
            DefinedResource(
                id=resource.id,
                name=resource.name,
                type=resource.type.value if resource.type else None,
                operations=resource.operations,
                multiple=resource.multiple,
                mandatory=resource.mandatory,
                units=resource.units,
                range_enumeration=resource.range_enumeration,
                description=resource.description,
            )
            for resource in model.resources.values()
        ],
    )


@router.put("", responses=answers(401, 403, 413, 422, 503), openapi_extra=DDF, max_body_size=MAX_DDF)
async def put_models(who: ConfiguringAdministrator, parts: PartsDep, http: Request) -> Models:
    """Upload a file of OMA DDF XML: each object in it, in place of the one of the same id and version. The answer lists
    them. They are in force within a second, also for what devices sent before: that gets its names and its types.
    """
    xml = await http.body()
    try:
        models = parse_ddf(xml)
    except InvalidObjectModel as error:
        raise InvalidRequest(f"This is no object model: {error}.") from error
    await write_down(parts, who, "model.uploaded", ", ".join(map(model_key, models)), http)
    js = parts.bus.jetstream()
    try:
        bucket = await js.key_value(Bucket.OBJECT_MODELS)
        for model in models:
            await bucket.put(model_key(model), xml)
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not take the object model; try again shortly.") from error
    return Models(items=[_known(model, uploaded=True) for model in models], next=None)


@router.delete("/{object_id}/{version}", responses=answers(401, 403, 404, 409, 422, 503))
async def delete_model(
    who: ConfiguringAdministrator, parts: PartsDep, object_id: ObjectId, version: Version, http: Request
) -> KnownObject:
    """Take an uploaded model away: what it was. Where the installation has the same version, that is in force again;
    else the nearest other version, or none: values are then as they came, and their names go.
    """
    model = _model(parts, object_id, version)
    if not parts.models.is_uploaded(model):
        raise Conflict(
            f"Object {object_id} in version {version} is part of the installation; only uploaded models can be removed."
        )
    await write_down(parts, who, "model.removed", model_key(model), http)
    try:
        bucket = await parts.bus.jetstream().key_value(Bucket.OBJECT_MODELS)
        await bucket.delete(model_key(model))
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not take the removal; try again shortly.") from error
    return _known(model, uploaded=True)


def _model(parts: Parts, object_id: int, version: str) -> ObjectModel:
    """Raises NotFound."""
    model = next((model for model in parts.models.versions_of(object_id) if model.version == version), None)
    if model is None:
        raise NotFound(f"There is no model of object {object_id} in version {version!r}.")
    return model


def _known(model: ObjectModel, *, uploaded: bool) -> KnownObject:
    return KnownObject(
        id=model.id,
        version=model.version,
        name=model.name,
        urn=model.urn,
        resources=len(model.resources),
        uploaded=uploaded,
    )
