"""Every value of one resource over time, one by one or in buckets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import ColumnElement, select, text, tuple_

from flownexus_api.documented import READ_ONE
from flownexus_api.endpoint_names import EndpointId
from flownexus_api.paging import Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database
from flownexus_api.periods import Moment, Period, bucket_width, period
from flownexus_api.values import MARKS, WireValue, value_columns, wire_value
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.errors import InvalidPath
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.tables import Resource, ResourceType
from flownexus_schemas.tables.devices import NO_INSTANCE

router = APIRouter(prefix="/endpoints/{endpoint}/history", tags=["values"])

KEY = (Resource.time, Resource.stream_sequence, Resource.record_index)

# Numbers that a sum can take: NaN, the infinities and what would overflow are left out.
BUCKETED = text(
    """select date_bin(:width, time, timestamptz 'epoch') as time, count(*) as count, min(value_number) as min,
        max(value_number) as max, sum(value_number) / count(*) as avg,
        (array_agg(value_number order by time desc, stream_sequence desc, record_index desc))[1] as last
    from resource
    where endpoint_id = :endpoint_id and resource_type_id = :type_id and object_instance_id = :instance_id
        and (cast(:resource_instance_id as integer) is null or resource_instance_id = :resource_instance_id)
        and time >= :start and time < :end and value_number between -1e300 and 1e300
    group by 1 order by 1"""
)


class Reading(BaseModel):
    """One value, at the time the device gave it."""

    path: str
    time: datetime
    value: WireValue
    type: str
    received_at: datetime
    marks: list[str] = MARKS


class History(Page[Reading]):
    """A page of values, in ascending time."""


class Bucket(BaseModel):
    """The numbers of a span of time, from `time` on. `count`: how many; `last`: the newest of them."""

    time: datetime
    count: int
    min: float
    max: float
    avg: float
    last: float


class Buckets(BaseModel):
    """Buckets in ascending time; those without a number are left out."""

    items: list[Bucket]
    next: None = Field(default=None, description="Buckets are never paged.")


@router.get("", responses=READ_ONE)
async def get_history(
    *,
    endpoint_id: EndpointId,
    database: Database,
    path: Annotated[str, Query(description="A resource or resource instance.", examples=["3303/0/5700"])],
    start: Annotated[
        Moment | None,
        Query(alias="from", description="The first moment, with time zone; 24 h before `to` if not given."),
    ] = None,
    end: Annotated[Moment | None, Query(alias="to", description="The end, not included; now if not given.")] = None,
    bucket: Annotated[
        str | None, Query(description="Width of the buckets, counted from 1970-01-01 UTC.", examples=["30s", "5m"])
    ] = None,
    limit: Annotated[int, Query(ge=1, le=5000, description="For single values.")] = 500,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> History | Buckets:
    """The values of one resource in ascending time, or with `bucket` their count, minimum, maximum, average and last.

    The path of a resource with several instances has the values of all of them. Buckets are of finite numbers;
    booleans count as 0 and 1.
    """
    wanted = _resource(path)
    span = period(start, end, datetime.now(UTC))
    width = bucket_width(bucket, span) if bucket is not None else None
    after = keys_of(cursor, "time", (datetime, int, int)) if cursor else None
    type_id = await database.scalar(
        select(ResourceType.id).where(
            ResourceType.object_id == wanted.object_id, ResourceType.resource_id == wanted.resource_id
        )
    )
    if type_id is None:
        return History(items=[], next=None) if width is None else Buckets(items=[])
    if width is not None:
        values = {"width": width, "endpoint_id": endpoint_id, "type_id": type_id, "start": span.start, "end": span.end}
        places = {"instance_id": wanted.object_instance_id, "resource_instance_id": wanted.resource_instance_id}
        found = (await database.execute(BUCKETED, values | places)).mappings()
        return Buckets(items=[Bucket.model_validate(row) for row in found])
    query = (
        select(*KEY, Resource.resource_instance_id, Resource.received_at, Resource.marks, *value_columns(Resource))
        .where(*_series(endpoint_id, type_id, wanted, span))
        .order_by(*KEY)
        .limit(limit + 1)
    )
    if after is not None:
        query = query.where(tuple_(*KEY) > tuple_(*after))
    rows, more = page_of((await database.execute(query)).all(), limit)
    items = [
        Reading(
            path=_path(wanted, row.resource_instance_id),
            time=row.time,
            value=wire_value(row),
            type=row.data_type,
            received_at=row.received_at,
            marks=row.marks or [],
        )
        for row in rows
    ]
    return History(items=items, next=cursor_of("time", *rows[-1][:3]) if more else None)


def _resource(path: str) -> Path:
    """The resource or resource instance of a path. Raises InvalidRequest."""
    try:
        found = Path.parse(path)
    except InvalidPath as error:
        raise InvalidRequest(f"query.path: {error}.") from error
    if found.depth not in {3, 4}:
        raise InvalidRequest(f"query.path: name a resource, such as 3303/0/5700, not {path!r}.")
    return found


def _series(endpoint_id: int, type_id: int, wanted: Path, span: Period) -> list[ColumnElement[bool]]:
    conditions = [
        Resource.endpoint_id == endpoint_id,
        Resource.resource_type_id == type_id,
        Resource.object_instance_id == wanted.object_instance_id,
        Resource.time >= span.start,
        Resource.time < span.end,
    ]
    if wanted.resource_instance_id is not None:
        conditions.append(Resource.resource_instance_id == wanted.resource_instance_id)
    return conditions


def _path(wanted: Path, resource_instance_id: int) -> str:
    resource = wanted.resource
    return str(resource if resource_instance_id == NO_INSTANCE else resource.child(resource_instance_id))
