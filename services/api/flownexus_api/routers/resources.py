"""The latest value of each resource of an endpoint."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import select, tuple_

from flownexus_api.documented import READ_ONE
from flownexus_api.endpoint_names import EndpointId
from flownexus_api.paging import Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database
from flownexus_api.values import MARKS, WireValue, path_text, value_columns, wire_value
from flownexus_schemas.tables import LatestValue, ResourceType

router = APIRouter(prefix="/endpoints/{endpoint}/resources", tags=["values"])

KEY = (
    ResourceType.object_id,
    LatestValue.object_instance_id,
    ResourceType.resource_id,
    LatestValue.resource_instance_id,
)


class LatestReading(BaseModel):
    """The newest value of a resource or resource instance. `name` is null where no object model names it."""

    path: str
    object_id: int
    object_name: str | None
    name: str | None
    units: str | None
    type: str
    value: WireValue
    time: datetime
    received_at: datetime
    marks: list[str] = MARKS


class Resources(Page[LatestReading]):
    """A page of latest values."""


@router.get("", responses=READ_ONE)
async def list_resources(
    *,
    endpoint_id: EndpointId,
    database: Database,
    object: Annotated[int | None, Query(ge=0, le=65535, description="Only this object.")] = None,  # noqa: A002 - as asked
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Resources:
    """The latest values, by path."""
    query = (
        select(
            *KEY,
            ResourceType.object_name,
            ResourceType.name,
            ResourceType.units,
            LatestValue.time,
            LatestValue.received_at,
            *value_columns(LatestValue),
            LatestValue.marks,
        )
        .join(ResourceType, ResourceType.id == LatestValue.resource_type_id)
        .where(LatestValue.endpoint_id == endpoint_id)
        .order_by(*KEY)
        .limit(limit + 1)
    )
    if object is not None:
        query = query.where(ResourceType.object_id == object)
    if cursor:
        query = query.where(tuple_(*KEY) > tuple_(*keys_of(cursor, "path", (int, int, int, int))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    items = [
        LatestReading(
            path=path_text(*row[:4]),
            object_id=row.object_id,
            object_name=row.object_name,
            name=row.name,
            units=row.units or None,
            type=row.data_type,
            value=wire_value(row),
            time=row.time,
            received_at=row.received_at,
            marks=row.marks or [],
        )
        for row in rows
    ]
    return Resources(items=items, next=cursor_of("path", *rows[-1][:4]) if more else None)
