"""The quarantine: reports whose payload could not be decoded, kept as they came."""

from __future__ import annotations

import base64
from asyncio import to_thread
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ColumnElement, Row, Select, and_, func, select, tuple_

from flownexus_api import undecoded_reports
from flownexus_api.access import BriefOperator, Viewer
from flownexus_api.audit import write_down
from flownexus_api.documented import READ_ONE, answers
from flownexus_api.paging import NO_NUL, Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_api.periods import Moment
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound
from flownexus_schemas.tables import Endpoint
from flownexus_schemas.tables import UndecodedReport as Stored

router = APIRouter(prefix="/undecoded", tags=["quarantine"])

KEY = (Stored.received_at, Stored.stream_sequence)
STATES: dict[str, ColumnElement[bool]] = {
    "waiting": and_(Stored.decoded_at.is_(None), Stored.dismissed_at.is_(None)),
    "decoded": Stored.decoded_at.is_not(None),
    "dismissed": and_(Stored.decoded_at.is_(None), Stored.dismissed_at.is_not(None)),
}
MOST_AT_ONCE = 1000
PAGE_REPORTS = 50
"""Read together: each can have a payload of hundreds of kilobytes."""

START_BYTES = 32

ReportId = Annotated[
    str, Path(pattern=r"^[0-9]{1,17}-[0-9]{1,18}$", description="As the list has it.", examples=["1772366400250000-7"])
]


class UndecodedReport(BaseModel):
    """A report of a device that no codec could read."""

    id: str
    endpoint: str
    received_at: datetime
    trigger: str
    paths: list[str] = Field(description="What was observed; empty where it is not known.")
    content_format: int | None = Field(description="As the device stated it.")
    size: int = Field(description="Bytes of the payload.")
    start: str = Field(description=f"The first {START_BYTES} of them, hexadecimal.")
    reason: str
    decoded_at: datetime | None = Field(description="When a retry was stored; null while it waits for one.")
    dismissed_at: datetime | None = Field(
        description="When somebody said that it waits for no retry; for a first block, whose whole is read by itself, "
        "from the start."
    )


class UndecodedPayload(UndecodedReport):
    """A report of a device that no codec could read, with its payload in base64."""

    payload: str


class UndecodedReports(Page[UndecodedReport]):
    """A page of reports, the newest first."""


class Retry(BaseModel):
    """What to decode it by where the device stated it wrongly, or not at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    content_format: int | None = Field(default=None, ge=0, le=65535, description="In place of the device's.")
    base_path: str | None = Field(default=None, max_length=30, description="Of the request.", examples=["3303/0"])


class DecodedValue(BaseModel):
    """A value that the retry found."""

    path: str
    type: str
    time: datetime


class Retried(BaseModel):
    """The values are stored within a second, with the time of their first receipt."""

    id: str
    values: list[DecodedValue]


class Dismissed(BaseModel):
    """It is marked within a second."""

    id: str


class RetriedAll(BaseModel):
    """How a retry of all that wait went; `left` are those that still cannot be decoded."""

    decoded: int
    left: int
    next: str | None = Field(description="Send it as `cursor` to go on with the others; null where all were tried.")


class Wanted(NamedTuple):
    """Which reports: all, if nothing is said."""

    endpoint: str | None
    start: datetime | None
    end: datetime | None

    def of(self, query: Select[Any]) -> Select[Any]:
        if self.endpoint is not None:
            query = query.where(Endpoint.name == self.endpoint)
        if self.start is not None:
            query = query.where(Stored.received_at >= self.start)
        if self.end is not None:
            query = query.where(Stored.received_at < self.end)
        return query


def _wanted(
    endpoint: Annotated[str | None, Query(pattern=NO_NUL, max_length=255, description="Only of this endpoint.")] = None,
    start: Annotated[Moment | None, Query(alias="from", description="The first moment, with time zone.")] = None,
    end: Annotated[Moment | None, Query(alias="to", description="The end, not included.")] = None,
) -> Wanted:
    return Wanted(endpoint, start, end)


WantedDep = Annotated[Wanted, Depends(_wanted)]


@router.get("", responses=READ_ONE)
async def list_undecoded(
    *,
    _: Viewer,
    database: Database,
    wanted: WantedDep,
    state: Annotated[
        Literal["waiting", "decoded", "dismissed"] | None, Query(description="Only these; all if not given.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> UndecodedReports:
    """Reports that could not be decoded, the newest first, without their payloads."""
    query = wanted.of(_query()).order_by(*(column.desc() for column in KEY)).limit(limit + 1)
    if state is not None:
        query = query.where(STATES[state])
    if cursor is not None:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "undecoded", (datetime, int))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    last = cursor_of("undecoded", rows[-1].received_at, rows[-1].stream_sequence) if more else None
    return UndecodedReports(items=[UndecodedReport(**_shown(row)) for row in rows], next=last)


@router.get("/{report}", responses=READ_ONE)
async def get_undecoded(_: Viewer, database: Database, report: ReportId) -> UndecodedPayload:
    """One of them, with its payload."""
    row = (await database.execute(_one(report))).one_or_none()
    if row is None:
        raise _unknown(report)
    return UndecodedPayload(**_shown(row), payload=base64.b64encode(row.payload).decode())


@router.post("/retry", responses=answers(401, 403, 422, 503))
async def retry_all_undecoded(
    *,
    who: BriefOperator,
    parts: PartsDep,
    http: Request,
    wanted: WantedDep,
    cursor: Annotated[str | None, Query(description="`next` of the call before.")] = None,
) -> RetriedAll:
    """Try all that wait, the oldest first, with the models of today: for operators, after an upload of a model.

    A call tries 1,000 at most; `next` goes on behind them.
    """
    after = None if cursor is None else keys_of(cursor, "undecoded-retry", (datetime, int))
    await write_down(parts, who, "undecoded.retried", wanted.endpoint, http)
    tried = done = 0
    while rows := await _waiting(parts, wanted, after, min(PAGE_REPORTS, MOST_AT_ONCE - tried)):
        for row in rows:
            try:
                records, content_format = await to_thread(undecoded_reports.decoded, row, parts.models, None, None)
            except InvalidRequest:
                continue
            await undecoded_reports.publish(parts.bus.jetstream(), row, records, content_format)
            done += 1
        tried += len(rows)
        last = rows[-1]
        after = [last.received_at, last.stream_sequence]
        if tried == MOST_AT_ONCE:
            following = cursor_of("undecoded-retry", last.received_at, last.stream_sequence)
            return RetriedAll(decoded=done, left=tried - done, next=following)
    return RetriedAll(decoded=done, left=tried - done, next=None)


async def _waiting(parts: Parts, wanted: Wanted, after: list[object] | None, limit: int) -> Sequence[Row[Any]]:
    query = wanted.of(_query(Stored.payload)).where(STATES["waiting"]).order_by(*KEY).limit(limit)
    if after is not None:
        query = query.where(tuple_(*KEY) > tuple_(*after))
    async with parts.engine.begin() as connection:
        rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
    return rows


@router.post("/{report}/retry", responses=answers(401, 403, 404, 409, 422, 503))
async def retry_undecoded(
    *, who: BriefOperator, parts: PartsDep, report: ReportId, http: Request, by: Annotated[Retry, Body()]
) -> Retried:
    """Try one with the models of today, in another Content-Format where the device stated it wrongly. For operators.

    What still cannot be decoded is 422 with the reason, and stays as it is; what was decoded before is 409.
    """
    row = await _open(parts, report)
    records, content_format = await to_thread(
        undecoded_reports.decoded, row, parts.models, by.content_format, by.base_path
    )
    await write_down(parts, who, "undecoded.retried", report, http)
    await undecoded_reports.publish(parts.bus.jetstream(), row, records, content_format)
    values = [
        DecodedValue(path=str(record.path), type=record.type.value, time=datetime.fromtimestamp(record.time, UTC))
        for record in records
    ]
    return Retried(id=report, values=values)


@router.delete("/{report}", responses=answers(401, 403, 404, 409, 422, 503))
async def dismiss_undecoded(*, who: BriefOperator, parts: PartsDep, report: ReportId, http: Request) -> Dismissed:
    """Say that one waits for no retry. For operators. It stays, and can be retried all the same."""
    row = await _open(parts, report)
    await write_down(parts, who, "undecoded.dismissed", report, http)
    await undecoded_reports.dismiss(parts.bus.jetstream(), row)
    return Dismissed(id=report)


async def _open(parts: Parts, report: str) -> Row[Any]:
    """One that is not decoded. Raises NotFound, Conflict."""
    async with parts.engine.begin() as connection:
        row: Row[Any] | None = (await connection.execute(_one(report))).one_or_none()
    if row is None:
        raise _unknown(report)
    if row.decoded_at is not None:
        raise Conflict(f"The report {report} was decoded at {row.decoded_at:%Y-%m-%dT%H:%M:%SZ} and stored.")
    return row


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def _moment(microseconds: int) -> datetime:
    """Raises InvalidRequest."""
    try:
        return _EPOCH + microseconds * _MICROSECOND
    except OverflowError as error:
        raise InvalidRequest("report: take its id from the list.") from error


_select: Callable[..., Select[Any]] = select


def _query(*more: Any) -> Select[Any]:
    query: Select[Any] = _select(
        *KEY,
        *more,
        Stored.trigger,
        Stored.paths,
        Stored.content_format,
        func.length(Stored.payload).label("size"),
        func.substr(Stored.payload, 1, START_BYTES).label("start"),
        Stored.reason,
        Stored.decoded_at,
        Stored.dismissed_at,
        Endpoint.name,
        Endpoint.registration_id,
        Endpoint.object_versions,
        Endpoint.root_path,
    ).join(Endpoint, Endpoint.id == Stored.endpoint_id)
    return query


def _one(report: str) -> Select[Any]:
    microseconds, sequence = map(int, report.split("-"))
    return _query(Stored.payload).where(Stored.received_at == _moment(microseconds), Stored.stream_sequence == sequence)


def _shown(row: Row[Any]) -> dict[str, Any]:
    return {
        "id": f"{_microseconds(row.received_at)}-{row.stream_sequence}",
        "endpoint": row.name,
        "received_at": row.received_at,
        "trigger": row.trigger,
        "paths": row.paths.split(",") if row.paths else [],
        "content_format": row.content_format,
        "size": row.size,
        "start": row.start.hex(),
        "reason": row.reason,
        "decoded_at": row.decoded_at,
        "dismissed_at": row.dismissed_at,
    }


def _unknown(report: str) -> NotFound:
    return NotFound(f"There is no undecoded report {report!r}; take its id from the list.")
