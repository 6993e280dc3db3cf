"""Object models: those that Flow Nexus came with or was started with, and those uploaded."""

from __future__ import annotations

from fastapi import APIRouter, Request
from nats.errors import Error as NatsError
from nats.js.errors import APIError
from pydantic import BaseModel, Field
from sqlalchemy import insert

from flownexus_api.access import BriefAdministrator, Viewer
from flownexus_api.documented import answers
from flownexus_api.paging import Page
from flownexus_api.parts import PartsDep
from flownexus_runtime.live_models import model_key
from flownexus_schemas.errors import InvalidRequest, Unavailable
from flownexus_schemas.lwm2m.ddf import parse_ddf
from flownexus_schemas.lwm2m.errors import InvalidObjectModel
from flownexus_schemas.lwm2m.object_model import ObjectModel
from flownexus_schemas.subjects import Bucket
from flownexus_schemas.tables import AuditEntry

router = APIRouter(prefix="/models", tags=["models"])

DDF = {"requestBody": {"required": True, "content": {"application/xml": {"schema": {"type": "string"}}}}}


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
    async with parts.engine.begin() as connection:
        await connection.execute(
            insert(AuditEntry).values(
                actor=who.name,
                action="model.uploaded",
                target=", ".join(map(model_key, models))[:1000],
                source_address=http.client.host if http.client else None,
            )
        )
    js = parts.bus.jetstream()
    try:
        bucket = await js.key_value(Bucket.OBJECT_MODELS)
        for model in models:
            await bucket.put(model_key(model), xml)
    except (NatsError, APIError, TimeoutError) as error:
        raise Unavailable("The message bus does not take the object model; try again shortly.") from error
    return Models(items=[_known(model, uploaded=True) for model in models], next=None)


def _known(model: ObjectModel, *, uploaded: bool) -> KnownObject:
    return KnownObject(
        id=model.id,
        version=model.version,
        name=model.name,
        urn=model.urn,
        resources=len(model.resources),
        uploaded=uploaded,
    )
