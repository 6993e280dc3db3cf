"""Rows of `resource_type`: what the object models say of each resource, null where they know nothing."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_ingest.rows import TypeKey
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path


class ResourceTypeRow(NamedTuple):
    """A row of `resource_type` without its id."""

    object_id: int
    resource_id: int
    object_name: str | None
    name: str | None
    data_type: str | None
    units: str | None
    multiple: bool


def resource_type_row(key: TypeKey, models: ObjectModels) -> ResourceTypeRow:
    """The row for (object id, resource id), from the newest 1.x model, as devices of all versions share it."""
    object_id, resource_id = key
    model = models.object(object_id)
    resource = models.resource(Path(object_id, 0, resource_id))
    if resource is None:
        return ResourceTypeRow(object_id, resource_id, model.name if model else None, None, None, None, False)
    return ResourceTypeRow(
        object_id,
        resource_id,
        model.name if model else None,
        resource.name,
        resource.type.value if resource.type else None,
        resource.units or None,
        resource.multiple,
    )
