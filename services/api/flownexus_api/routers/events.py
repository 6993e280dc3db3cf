"""Events of an endpoint: values that belong together, under one time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import Row, and_, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.documented import READ_ONE
from flownexus_api.endpoint_names import EndpointId
from flownexus_api.paging import NO_NUL, Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database
from flownexus_api.periods import Moment
from flownexus_api.values import WireValue, path_text, value_columns, wire_value
from flownexus_schemas.tables import Event, EventResource, Resource, ResourceType

router = APIRouter(prefix="/endpoints/{endpoint}/events", tags=["events"])

KEY = (Event.time, Event.stream_sequence)


class EventReading(BaseModel):
    """One value of an event, with its own time."""

    path: str
    name: str | None
    units: str | None
    type: str
    value: WireValue
    time: datetime


class EndpointEvent(BaseModel):
    """An event: `time` is its own, `id` the sequence of its message in the stream of events."""

    id: str
    time: datetime
    received_at: datetime
    event_type: str
    resources: list[EventReading]


class Events(Page[EndpointEvent]):
    """A page of events, the newest first."""


@router.get("", responses=READ_ONE)
async def list_events(
    *,
    endpoint_id: EndpointId,
    database: Database,
    event_type: Annotated[
        str | None, Query(alias="type", pattern=NO_NUL, max_length=255, description="Only events of this type.")
    ] = None,
    start: Annotated[Moment | None, Query(alias="from", description="The first moment, with time zone.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="The end, not included.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Events:
    """The events of an endpoint with their values, the newest first."""
    query = (
        select(*KEY, Event.received_at, Event.event_type)
        .where(Event.endpoint_id == endpoint_id)
        .order_by(*(column.desc() for column in KEY))
        .limit(limit + 1)
    )
    if event_type is not None:
        query = query.where(Event.event_type == event_type)
    if start is not None:
        query = query.where(Event.time >= start)
    if end is not None:
        query = query.where(Event.time < end)
    if cursor:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "-time", (datetime, int))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    readings = await _readings(database, rows)
    items = [
        EndpointEvent(
            id=str(row.stream_sequence),
            time=row.time,
            received_at=row.received_at,
            event_type=row.event_type,
            resources=readings[row.time, row.stream_sequence],
        )
        for row in rows
    ]
    return Events(items=items, next=cursor_of("-time", *rows[-1][:2]) if more else None)


async def _readings(
    database: AsyncConnection, events: Sequence[Row[datetime, int, datetime, str]]
) -> dict[tuple[datetime, int], list[EventReading]]:
    """The values of these events, each event's in the order of its message."""
    found: dict[tuple[datetime, int], list[EventReading]] = defaultdict(list)
    if not events:
        return found
    of_reading = and_(
        Resource.time == EventResource.resource_time,
        Resource.stream_sequence == EventResource.resource_stream_sequence,
        Resource.record_index == EventResource.resource_record_index,
    )
    query = (
        select(
            EventResource.event_time,
            EventResource.event_stream_sequence,
            ResourceType.object_id,
            Resource.object_instance_id,
            ResourceType.resource_id,
            Resource.resource_instance_id,
            ResourceType.name,
            ResourceType.units,
            Resource.time,
            *value_columns(Resource),
        )
        .select_from(EventResource)
        .join(Resource, of_reading)
        .join(ResourceType, ResourceType.id == Resource.resource_type_id)
        .where(
            tuple_(EventResource.event_time, EventResource.event_stream_sequence).in_(
                [(event.time, event.stream_sequence) for event in events]
            )
        )
        .order_by(Resource.stream_sequence, Resource.record_index)
    )
    for row in await database.execute(query):
        reading = EventReading(
            path=path_text(row.object_id, row.object_instance_id, row.resource_id, row.resource_instance_id),
            name=row.name,
            units=row.units or None,
            type=row.data_type,
            value=wire_value(row),
            time=row.time,
        )
        found[row.event_time, row.event_stream_sequence].append(reading)
    return found
