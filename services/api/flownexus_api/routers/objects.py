"""The objects of an endpoint as a tree."""

from __future__ import annotations

from fastapi import APIRouter
from sqlalchemy import select

from flownexus_api.documented import READ_ONE
from flownexus_api.endpoint_names import EndpointId
from flownexus_api.object_tree import DeviceObject, Latest, object_tree
from flownexus_api.paging import Page
from flownexus_api.parts import Database, PartsDep
from flownexus_api.values import value_columns, wire_value
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.tables import Endpoint, LatestValue, ResourceType
from flownexus_schemas.tables.devices import NO_INSTANCE

router = APIRouter(prefix="/endpoints/{endpoint}/objects", tags=["objects"])


class Objects(Page[DeviceObject]):
    """The objects of a device; always one page."""


@router.get("", responses=READ_ONE)
async def list_objects(endpoint_id: EndpointId, database: Database, parts: PartsDep) -> Objects:
    """Objects, instances and resources: what the device listed, named by the object models, with the latest values."""
    device = (
        await database.execute(
            select(Endpoint.object_links, Endpoint.object_versions).where(Endpoint.id == endpoint_id)
        )
    ).one()
    rows = await database.execute(
        select(
            ResourceType.object_id,
            LatestValue.object_instance_id,
            ResourceType.resource_id,
            LatestValue.resource_instance_id,
            LatestValue.time,
            *value_columns(LatestValue),
        )
        .join(ResourceType, ResourceType.id == LatestValue.resource_type_id)
        .where(LatestValue.endpoint_id == endpoint_id)
    )
    latest = [Latest(_path(*row[:4]), row.data_type, wire_value(row), row.time) for row in rows]
    return Objects(items=object_tree(device.object_links, device.object_versions, parts.models, latest), next=None)


def _path(object_id: int, object_instance_id: int, resource_id: int, resource_instance_id: int) -> Path:
    resource = Path(object_id, object_instance_id, resource_id)
    return resource if resource_instance_id == NO_INSTANCE else resource.child(resource_instance_id)
