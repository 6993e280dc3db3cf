"""Lines of the log that an endpoint keeps of itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel
from sqlalchemy import func, select, tuple_

from flownexus_api.documented import READ_ONE
from flownexus_api.endpoint_names import EndpointId
from flownexus_api.paging import NO_NUL, Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database
from flownexus_api.periods import Moment
from flownexus_schemas.tables import LogLine as Line

router = APIRouter(prefix="/endpoints/{endpoint}/logs", tags=["logs"])

KEY = (Line.time, Line.stream_sequence)


class LogLine(BaseModel):
    """One line; `id` is the sequence of its message in the stream of events."""

    id: str
    time: datetime
    level: str
    text: str


class Logs(Page[LogLine]):
    """A page of log lines, the newest first."""


@router.get("", responses=READ_ONE)
async def list_logs(
    *,
    endpoint_id: EndpointId,
    database: Database,
    level: Annotated[str | None, Query(pattern=NO_NUL, max_length=255, description="Only this level.")] = None,
    q: Annotated[
        str | None, Query(pattern=NO_NUL, max_length=255, description="Only lines with this text in them.")
    ] = None,
    start: Annotated[Moment | None, Query(alias="from", description="The first moment, with time zone.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="The end, not included.")] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Logs:
    """What the device logged, the newest first."""
    query = (
        select(*KEY, Line.level, Line.text)
        .where(Line.endpoint_id == endpoint_id)
        .order_by(*(column.desc() for column in KEY))
        .limit(limit + 1)
    )
    if level is not None:
        query = query.where(Line.level == level)
    if q:
        query = query.where(func.strpos(func.lower(Line.text), func.lower(q)) > 0)
    if start is not None:
        query = query.where(Line.time >= start)
    if end is not None:
        query = query.where(Line.time < end)
    if cursor:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "-log", (datetime, int))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    items = [LogLine(id=str(row.stream_sequence), time=row.time, level=row.level, text=row.text) for row in rows]
    return Logs(items=items, next=cursor_of("-log", *rows[-1][:2]) if more else None)
