"""Operations on many endpoints at once: a batch, whose operations each go their own way."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Body, Path, Request
from pydantic import BaseModel
from sqlalchemy import Row, func, select

from flownexus_api.access import BriefOperator, Viewer
from flownexus_api.audit import add_outcome, write_down
from flownexus_api.documented import answers
from flownexus_api.operation_requests import (
    IdempotencyKey,
    OperationRequest,
    cancel,
    name_of_operation,
    operation_of,
    request,
)
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.routers.operations import ID, MAX_BODY
from flownexus_api.selection import Selection, chosen
from flownexus_schemas.commands import AnyCommand
from flownexus_schemas.errors import Conflict, FlowNexusError, NotFound
from flownexus_schemas.operations.operation import Operation, OperationStatus
from flownexus_schemas.tables import EndpointOperation as Kept

router = APIRouter(prefix="/operations", tags=["operations"])

AT_A_TIME = 200
"""Messages on their way to JetStream."""

BatchId = Annotated[str, Path(pattern=ID, description="As the answer to the request had it.")]


class BatchRequest(OperationRequest):
    """A request to many devices."""

    select: Selection


class OperationBatch(BaseModel):
    """The operations that one request made, and how many stand where."""

    batch: str
    operations: int
    by_status: dict[OperationStatus, int]


class BatchCancelled(BaseModel):
    """What was taken back; the others were on their way or done."""

    batch: str
    cancelled: int


@router.post("", status_code=HTTPStatus.ACCEPTED, responses=answers(401, 403, 413, 422, 503), max_body_size=MAX_BODY)
async def request_operations(
    *,
    who: BriefOperator,
    parts: PartsDep,
    asked: Annotated[BatchRequest, Body()],
    http: Request,
    idempotency_key: IdempotencyKey = None,
) -> OperationBatch:
    """Have a request sent to each endpoint that is selected, when it listens. For operators.

    All are checked before the first is kept: one that does not fit refuses the whole. Where the answer is 503, some may
    be kept already: ask again with the same Idempotency-Key, and each endpoint has it once.
    """
    now = datetime.now(UTC)
    asked.check_expiry(now)
    endpoints = await chosen(parts, asked.select)
    batch = name_of_operation(who, idempotency_key)
    commands = _commands(parts, asked, endpoints)
    operations = [
        operation_of(
            asked,
            command,
            operation_id=name_of_operation(who, batch, command.endpoint),
            who=who,
            now=now,
            batch=batch,
        )
        for command in commands
    ]
    details: dict[str, object] = {
        "operation": asked.operation,
        "paths": asked.paths_named(),
        "endpoints": len(operations),
    }
    entry = await write_down(parts, who, "operation.batch", batch, http, details=details)
    try:
        kept = await _request_all(parts, operations)
    except FlowNexusError as error:
        await add_outcome(parts, entry, {"error": str(error)})
        raise
    by_status = {status: sum(one.status is status for one in kept) for status in OperationStatus}
    return OperationBatch(
        batch=batch,
        operations=len(kept),
        by_status={status: count for status, count in by_status.items() if count},
    )


@router.get("/batches/{batch}", responses=answers(401, 404, 422, 503))
async def get_batch(*, _: Viewer, database: Database, batch: BatchId) -> OperationBatch:
    """How many operations of a batch stand where; `GET /operations?batch=` lists them."""
    counted = await database.execute(select(Kept.status, func.count()).where(Kept.batch == batch).group_by(Kept.status))
    by_status = {OperationStatus(status): count for status, count in counted}
    if not by_status:
        raise NotFound(f"There is no batch {batch!r}; a new one may not be in the tables yet.")
    return OperationBatch(batch=batch, operations=sum(by_status.values()), by_status=by_status)


@router.post("/batches/{batch}/cancel", responses=answers(401, 403, 404, 422, 503))
async def cancel_batch(*, who: BriefOperator, parts: PartsDep, batch: BatchId, http: Request) -> BatchCancelled:
    """Take back all operations of a batch that are queued. For operators."""
    query = select(Kept.id, Kept.endpoint, Kept.status).where(Kept.batch == batch)
    async with parts.engine.begin() as connection:
        known = (await connection.execute(query)).all()
    if not known:
        raise NotFound(f"There is no batch {batch!r}; a new one may not be in the tables yet.")
    await write_down(parts, who, "operation.batch-cancelled", batch, http)
    at_a_time = asyncio.Semaphore(AT_A_TIME)

    async def one(operation: Row[str, str, str]) -> bool:
        async with at_a_time:
            try:
                await cancel(parts.bus, operation.id, who, operation.endpoint)
            except Conflict:
                return False
            return True

    # The tables may be behind: what was sent and is queued again counts too.
    waiting = [row for row in known if row.status in {OperationStatus.QUEUED, OperationStatus.SENDING}]
    return BatchCancelled(batch=batch, cancelled=sum(await asyncio.gather(*map(one, waiting))))


def _commands(parts: Parts, asked: BatchRequest, endpoints: Sequence[Row[Any]]) -> list[AnyCommand]:
    """One an endpoint; values are fitted once for all of the same versions of objects. Raises InvalidRequest."""
    fitted: dict[frozenset[tuple[str, str]], AnyCommand] = {}
    commands: list[AnyCommand] = []
    for row in endpoints:
        key = frozenset(row.object_versions.items())
        if key not in fitted:
            versions = {int(object_id): version for object_id, version in row.object_versions.items()}
            fitted[key] = asked.command(row.name, parts.models, versions)
        commands.append(fitted[key].model_copy(update={"endpoint": row.name}))
    return commands


async def _request_all(parts: Parts, operations: Sequence[Operation]) -> list[Operation]:
    """Each once on the stream. Where one fails the others are still tried, then its error is raised."""
    at_a_time = asyncio.Semaphore(AT_A_TIME)

    async def one(operation: Operation) -> Operation:
        async with at_a_time:
            return await request(parts.bus, operation)

    results = await asyncio.gather(*map(one, operations), return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, Operation)]
