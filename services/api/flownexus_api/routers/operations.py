"""Operations: requests that are kept until their devices listen. What becomes of them is seen here."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from sqlalchemy import Row, select, text, tuple_

from flownexus_api.access import BriefOperator, Viewer
from flownexus_api.audit import add_outcome, write_down
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName, unknown_endpoint
from flownexus_api.event_stream import EventStream, LastEventId, Place, event_stream
from flownexus_api.following import Followed, start_position
from flownexus_api.operation_examples import OPERATION_STREAM
from flownexus_api.operation_requests import (
    IdempotencyKey,
    OperationRequest,
    cancel,
    load,
    name_of_operation,
    operation_of,
    request,
)
from flownexus_api.operation_views import (
    OPERATIONS,
    EndpointOperation,
    OperationDetail,
    OperationStep,
    shown,
    shown_from_stream,
)
from flownexus_api.paging import NO_NUL, Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.periods import Moment
from flownexus_schemas import subjects
from flownexus_schemas.endpoint_tags import MAX_TAGS, Tag
from flownexus_schemas.errors import FlowNexusError, InvalidMessage
from flownexus_schemas.operations.messages import parse_operation_event
from flownexus_schemas.operations.operation import OperationStatus
from flownexus_schemas.subjects import Stream
from flownexus_schemas.tables import EndpointOperation as Kept
from flownexus_schemas.tables import EndpointOperationChange as Change

router = APIRouter(tags=["operations"])

MAX_BODY = 1024 * 1024
ID = r"^[0-9A-Za-z_-]{1,64}$"
KEY = (Kept.created_at, Kept.id)
ASKED = """select object_versions, status, answers_asleep_within_s, next_expected_at, next_expected_by
    from endpoint_status where name = :name"""

OperationId = Annotated[str, Path(pattern=ID, description="As the answer to the request had it.")]
BatchId = Annotated[str | None, Query(pattern=ID, description="Only those that this one request made.")]


class Operations(Page[EndpointOperation]):
    """A page of operations, the newest first."""


@router.post(
    "/endpoints/{endpoint}/operations",
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(401, 403, 404, 413, 422, 503),
    max_body_size=MAX_BODY,
)
async def request_operation(
    *,
    who: BriefOperator,
    parts: PartsDep,
    name: EndpointName,
    asked: Annotated[OperationRequest, Body()],
    http: Request,
    idempotency_key: IdempotencyKey = None,
) -> EndpointOperation:
    """Have a request sent when the device listens: at once where it is awake, else at its next sign of life.

    For operators. It is checked like a request that is answered at once. Each endpoint has at most one on its way; an
    answer that stays out is waited for again at the next signs of life, three times in all.
    """
    now = datetime.now(UTC)
    asked.check_expiry(now)
    device = await _asked(parts, name)
    versions = {int(object_id): version for object_id, version in device.object_versions.items()}
    command = asked.command(name, parts.models, versions)
    operation_id = name_of_operation(who, idempotency_key, name)
    operation = operation_of(asked, command, operation_id=operation_id, who=who, now=now)
    details = {"operation": operation_id, "paths": asked.paths_named()}
    entry = await write_down(parts, who, f"operation.{asked.operation}", name, http, details=details)
    try:
        kept = await request(parts.bus, operation)
    except FlowNexusError as error:
        await add_outcome(parts, entry, {"error": str(error)})
        raise
    fields = shown_from_stream(kept)
    waits = device.status == "offline" or (device.status == "asleep" and device.answers_asleep_within_s is None)
    if waits and kept.status is OperationStatus.QUEUED:
        fields |= {"forecast_at": device.next_expected_at, "forecast_by": device.next_expected_by}
    return EndpointOperation(**fields)


@router.get("/operations", responses=answers(401, 422, 503))
async def list_operations(
    *,
    _: Viewer,
    database: Database,
    parts: PartsDep,
    endpoint: Annotated[str | None, Query(max_length=255, pattern=NO_NUL, description="Only this endpoint.")] = None,
    status: Annotated[list[OperationStatus] | None, Query(description="Only these; repeat it for several.")] = None,
    batch: BatchId = None,
    tag: Annotated[
        list[Tag] | None, Query(max_length=MAX_TAGS, description="Only endpoints with each of these.")
    ] = None,
    start: Annotated[Moment | None, Query(alias="from", description="Asked for at this moment or later.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="Asked for before.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Operations:
    """What was asked for and how it stands, the newest first."""
    query = OPERATIONS.order_by(*(column.desc() for column in KEY)).limit(limit + 1)
    if endpoint is not None:
        query = query.where(Kept.endpoint == endpoint)
    if status:
        query = query.where(Kept.status.in_([one.value for one in status]))
    if batch is not None:
        query = query.where(Kept.batch == batch)
    if tag:
        query = query.where(Kept.endpoint.in_(parts.bus.loaded_tags().with_all(frozenset(tag))))
    if start is not None:
        query = query.where(Kept.created_at >= start)
    if end is not None:
        query = query.where(Kept.created_at < end)
    if cursor:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "-operation", (datetime, str))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    following = cursor_of("-operation", rows[-1].created_at, rows[-1].id) if more else None
    return Operations(items=[EndpointOperation(**shown(row)) for row in rows], next=following)


def _filters(
    endpoint: Annotated[str | None, Query(description="Only this endpoint.", max_length=255)] = None,
    operation: Annotated[str | None, Query(description="Only this operation.", pattern=ID)] = None,
) -> list[str]:
    if operation is not None:
        return [subjects.operation_of_any(operation) if endpoint is None else subjects.operation(endpoint, operation)]
    return [subjects.OPERATION_STATES if endpoint is None else subjects.operations_of(endpoint)]


async def _start(_: Viewer, parts: PartsDep, last_event_id: LastEventId = None) -> int:
    return await start_position(parts.bus, last_event_id, Stream.OPERATIONS)


# Before the route of one operation, whose id it would be.
@router.get(
    "/operations/stream",
    response_class=EventStream,
    responses=answers(401, 422, 503) | {200: {"content": {"text/event-stream": {"example": OPERATION_STREAM}}}},
)
async def get_operation_stream(
    parts: PartsDep,
    filters: Annotated[list[str], Depends(_filters)],
    after: Annotated[int, Depends(_start)],
    ends_at: Place,
    batch: BatchId = None,
) -> EventStream:
    """What happens to operations from now on, as `GET /stream` has it of devices; `event` is `requested`, `sending`,
    `confirmed`, `failed`, `requeued`, `cancelled` or `expired`, `data` the CloudEvent with the operation as it is then.
    """

    def name_of(followed: Followed) -> str | None:
        try:
            event = parse_operation_event(followed.payload)
        except InvalidMessage:
            return None  # ingest sets it aside, with the reason
        return event.type.split(".")[-2] if batch in {None, event.data.batch} else None

    return event_stream(parts, Stream.OPERATIONS, filters, name_of, after=after, ends_at=ends_at)


@router.get("/operations/{operation}", responses=answers(401, 404, 422, 503))
async def get_operation(*, _: Viewer, parts: PartsDep, database: Database, operation: OperationId) -> OperationDetail:
    """One operation, with all that happened to it."""
    row = (await database.execute(OPERATIONS.where(Kept.id == operation))).one_or_none()
    if row is None:
        known, _sequence = await load(parts.bus, operation)
        return OperationDetail(**shown_from_stream(known), history=[])
    changes = await database.execute(
        select(Change.time, Change.status, Change.attempts, Change.action, Change.code, Change.diagnostic)
        .where(Change.operation_id == operation)
        .order_by(Change.stream_sequence)
    )
    history = [OperationStep.model_validate(change, from_attributes=True) for change in changes]
    return OperationDetail(**shown(row), history=history)


@router.post("/operations/{operation}/cancel", responses=answers(401, 403, 404, 409, 422, 503))
async def cancel_operation(
    *, who: BriefOperator, parts: PartsDep, operation: OperationId, http: Request
) -> EndpointOperation:
    """Take an operation back while it is queued; 409 where it is on its way or done. For operators."""
    await write_down(parts, who, "operation.cancelled", operation, http)
    return EndpointOperation(**shown_from_stream(await cancel(parts.bus, operation, who)))


async def _asked(parts: Parts, name: str) -> Row[Any]:
    """The endpoint that is asked. Raises NotFound."""
    found = None
    if "\0" not in name:
        async with parts.engine.begin() as connection:
            found = (await connection.execute(text(ASKED), {"name": name})).one_or_none()
    if found is None:
        raise unknown_endpoint(name)
    return found
