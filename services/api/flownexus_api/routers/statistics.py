"""Counts over all endpoints."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field
from sqlalchemy import text

from flownexus_api.access import Viewer
from flownexus_api.documented import answers
from flownexus_api.parts import Database

router = APIRouter(prefix="/statistics", tags=["statistics"])

BY_STATUS = text(
    """select count(*) as total, count(*) filter (where status = 'online') as online,
        count(*) filter (where status = 'asleep') as asleep, count(*) filter (where status = 'offline') as offline,
        count(*) filter (where overdue) as overdue
    from endpoint_status"""
)

READINGS = text("select count(*) from resource where time > now() - interval '1 hour' and time <= now()")

# Registration events are the resources of object 10240; a short look into the index of each endpoint.
REGISTRATIONS = text(
    """select count(*) filter (where resource_id = 0) as registered, count(*) filter (where resource_id = 1) as ended,
        count(*) filter (where resource_id = 2) as updated
    from resource_type cross join endpoint cross join lateral (
        select from resource where endpoint_id = endpoint.id and resource_type_id = resource_type.id
            and object_instance_id = 0 and time > now() - interval '1 day'
    ) as happened
    where object_id = 10240"""
)


class EndpointCounts(BaseModel):
    """Endpoints by status."""

    total: int
    online: int
    asleep: int
    offline: int
    overdue: int = Field(description="Of those that are online or asleep: due, and not heard.")


class Statistics(BaseModel):
    """Counts over all endpoints, of this moment."""

    endpoints: EndpointCounts
    readings_last_hour: int
    registrations_last_day: int
    updates_last_day: int
    deregistrations_last_day: int


@router.get("", responses=answers(401, 503))
async def get_statistics(_: Viewer, database: Database) -> Statistics:
    """How many endpoints there are by status, and what they did lately by their own clocks."""
    by_status = (await database.execute(BY_STATUS)).mappings().one()
    registrations = (await database.execute(REGISTRATIONS)).one()
    return Statistics(
        endpoints=EndpointCounts.model_validate(by_status),
        readings_last_hour=await database.scalar(READINGS) or 0,
        registrations_last_day=registrations.registered,
        updates_last_day=registrations.updated,
        deregistrations_last_day=registrations.ended,
    )
