"""Object models: those that Flow Nexus came with or was started with, and those uploaded."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Request
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import BaseModel, Field
from sqlalchemy import insert

from flownexus_api.access import BriefAdministrator, Person, Viewer
from flownexus_api.documented import answers
from flownexus_api.paging import Page
from flownexus_api.parts import Parts, PartsDep
from flownexus_runtime.live_models import model_key
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound, Unavailable
from flownexus_schemas.lwm2m.ddf import parse_ddf
from flownexus_schemas.lwm2m.errors import InvalidObjectModel
from flownexus_schemas.lwm2m.object_model import ObjectModel
from flownexus_schemas.lwm2m.path import MAX_ID
from flownexus_schemas.subjects import Bucket
from flownexus_schemas.tables import AuditEntry

router = APIRouter(prefix="/models", tags=["models"])

DDF = {"requestBody": {"required": True, "content": {"application/xml": {"schema": {"type": "string"}}}}}

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


@router.get("", responses=answers(401, 503))
async def list_models(_: Viewer, parts: PartsDep) -> Models:
    """All object models, by id and version."""
    return Models(items=[_known(model, uploaded=parts.models.is_uploaded(model)) for model in parts.models], next=None)


@router.put("", responses=answers(401, 403, 422, 503), openapi_extra=DDF)
async def put_models(who: BriefAdministrator, parts: PartsDep, http: Request) -> Models:
    """Upload a file of OMA DDF XML: each object in it, in place of the one of the same id and version. The answer lists
    them. They are in force within a second, also for what devices sent before: that gets its names.
    """
    xml = await http.body()
    try:
        models = parse_ddf(xml)
    except InvalidObjectModel as error:
        raise InvalidRequest(f"This is no object model: {error}.") from error
    await _audit(parts, who, "model.uploaded", ", ".join(map(model_key, models)), http)
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
    who: BriefAdministrator, parts: PartsDep, object_id: ObjectId, version: Version, http: Request
) -> KnownObject:
    """Take an uploaded model away: what it was. Where the installation has the same version, that is in force again;
    else the nearest other version, or none: values stay as they were stored, and their names go.
    """
    model = next((model for model in parts.models.versions_of(object_id) if model.version == version), None)
    if model is None:
        raise NotFound(f"There is no model of object {object_id} in version {version!r}.")
    if not parts.models.is_uploaded(model):
        raise Conflict(
            f"Object {object_id} in version {version} is part of the installation; only uploaded models can be removed."
        )
    await _audit(parts, who, "model.removed", model_key(model), http)
    try:
        bucket = await parts.bus.jetstream().key_value(Bucket.OBJECT_MODELS)
        await bucket.delete(model_key(model))
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not take the removal; try again shortly.") from error
    return _known(model, uploaded=True)


async def _audit(parts: Parts, who: Person, action: str, target: str, http: Request) -> None:
    async with parts.engine.begin() as connection:
        await connection.execute(
            insert(AuditEntry).values(
                actor=who.name,
                action=action,
                target=target[:1000],
                source_address=http.client.host if http.client else None,
            )
        )


def _known(model: ObjectModel, *, uploaded: bool) -> KnownObject:
    return KnownObject(
        id=model.id,
        version=model.version,
        name=model.name,
        urn=model.urn,
        resources=len(model.resources),
        uploaded=uploaded,
    )
