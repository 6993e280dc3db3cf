"""Endpoints: the devices, each with its registration and status."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Row, text

from flownexus_api.access import Viewer
from flownexus_api.documented import READ, READ_ONE
from flownexus_api.endpoint_names import EndpointName, unknown_endpoint
from flownexus_api.paging import NO_NUL, Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_schemas.endpoint_tags import MAX_TAGS, Tag

router = APIRouter(prefix="/endpoints", tags=["endpoints"])

Status = Literal["online", "asleep", "offline"]
Order = Literal["name", "-last_seen_at"]

COLUMNS = """id, name, status, registered, registration_id, lwm2m_version, binding, queue_mode, awake_window_s,
    answers_asleep_within_s, lifetime_s, gateway, address_host, address_port, first_seen_at, registered_at,
    last_seen_at, awake_until, expires_at, next_expected_at, next_expected_by, overdue"""
DETAILS = f"""{COLUMNS}, identity, root_path, object_links, object_versions, content_formats,
    registration_warnings"""

# position() takes the text as it is: like and ilike would read % and _ in it.
MATCHES = """(cast(:status as text) is null or status = :status)
    and (cast(:overdue as boolean) is null or overdue = :overdue)
    and (cast(:q as text) is null or position(lower(:q) in lower(name)) > 0)
    and (cast(:tagged as text[]) is null or name = any(cast(:tagged as text[])))"""

LISTS: dict[Order, str] = {
    "name": f"""select {COLUMNS} from endpoint_status
        where {MATCHES} and (cast(:name as text) is null or name > :name)
        order by name limit :limit""",  # noqa: S608 - constants only
    # Never seen comes last. A row seen in between moves to the front: a reader meets it twice or not at all.
    "-last_seen_at": f"""select {COLUMNS} from endpoint_status
        where {MATCHES} and (cast(:name as text) is null
            or (cast(:seen as timestamptz) is not null and (last_seen_at < :seen or last_seen_at is null))
            or (last_seen_at is not distinct from cast(:seen as timestamptz) and name > :name))
        order by last_seen_at desc nulls last, name limit :limit""",  # noqa: S608 - constants only
}

OBSERVATIONS = """select paths, composite, state, code, diagnostic, time,
    coalesce(attributes, '{}') as attributes, attributes_code, attributes_diagnostic from observation_outcome
    where endpoint_id = :id order by paths, composite"""


class Address(BaseModel):
    """Where datagrams of the device come from."""

    host: str
    port: int


class Endpoint(BaseModel):
    """A device. `online`: it can be reached; `asleep`: in queue mode, at its next message; `offline`: not registered.

    Times are UTC. Fields of the registration are null where the device never registered.
    """

    name: str
    status: Status
    registered: bool
    registration_id: str | None
    lwm2m_version: str | None
    binding: str | None
    queue_mode: bool
    awake_window_s: float | None = Field(description="Seconds for which a queue-mode device listens after it sent.")
    answers_asleep_within_s: float | None = Field(
        description="Seconds within which it answers although it sleeps; null: it is asked nothing while it sleeps."
    )
    lifetime_s: int | None = Field(description="Seconds.")
    address: Address | None
    gateway: str | None
    first_seen_at: datetime
    registered_at: datetime | None
    last_seen_at: datetime | None
    awake_until: datetime | None
    expires_at: datetime | None
    next_expected_at: datetime | None = Field(
        description="When it is heard next, by what it did until now; the end of its lifetime while little is known, "
        "and at the latest. Past where it is late."
    )
    next_expected_by: datetime | None = Field(description="It came by then nine times of ten.")
    overdue: bool = Field(description="Whether it was due, was not heard for long, and is still registered.")
    tags: list[str]


class ObservationStatus(BaseModel):
    """What became of the newest request to observe these paths."""

    paths: list[str]
    composite: bool
    state: Literal["established", "refused", "cancelled"]
    code: str | None = Field(description="The device's CoAP code.")
    diagnostic: str | None
    attributes: dict[str, float] = Field(description="Notification attributes that were written for the profile.")
    attributes_code: str | None = Field(description="The device's CoAP code to that, null where it was silent.")
    attributes_diagnostic: str | None = Field(description="The path and why, where the device did not take them.")
    time: datetime


class EndpointDetail(Endpoint):
    """A device with what it said at registration, and its observations."""

    identity: str | None = Field(description="The identity that DTLS authenticated; null over plain CoAP.")
    root_path: str | None
    object_links: list[str]
    object_versions: dict[str, str]
    content_formats: list[int]
    registration_warnings: list[str]
    observations: list[ObservationStatus]


class Endpoints(Page[Endpoint]):
    """A page of endpoints."""


@router.get("", responses=READ)
async def list_endpoints(
    *,
    _: Viewer,
    database: Database,
    parts: PartsDep,
    status: Annotated[Status | None, Query(description="Only those with this status.")] = None,
    overdue: Annotated[
        bool | None, Query(description="Only those that are overdue, or only those that are not.")
    ] = None,
    q: Annotated[
        str | None, Query(max_length=255, pattern=NO_NUL, description="Only names with this text in them.")
    ] = None,
    tag: Annotated[list[Tag] | None, Query(max_length=MAX_TAGS, description="Only those with each of these.")] = None,
    sort: Annotated[Order, Query(description="By name, or the latest seen first.")] = "name",
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Endpoints:
    """The devices that ever registered, a page at a time."""
    tagged = parts.bus.loaded_tags().with_all(frozenset(tag)) if tag else None
    values: dict[str, object] = {"status": status, "overdue": overdue, "q": q, "tagged": tagged, "limit": limit + 1}
    values["seen"], values["name"] = keys_of(cursor, sort, (datetime, str)) if cursor else (None, None)
    rows, more = page_of((await database.execute(text(LISTS[sort]), values)).all(), limit)
    following = cursor_of(sort, rows[-1].last_seen_at, rows[-1].name) if more else None
    return Endpoints(items=[Endpoint(**_endpoint(row, parts)) for row in rows], next=following)


@router.get("/{endpoint}", responses=READ_ONE)
async def get_endpoint(_: Viewer, database: Database, parts: PartsDep, name: EndpointName) -> EndpointDetail:
    """One device: its registration, objects and observations."""
    row = None
    if "\0" not in name:
        found = text(f"select {DETAILS} from endpoint_status where name = :name")  # noqa: S608 - constants only
        row = (await database.execute(found, {"name": name})).one_or_none()
    if row is None:
        raise unknown_endpoint(name)
    observations = (await database.execute(text(OBSERVATIONS), {"id": row.id})).mappings().all()
    return EndpointDetail(
        **_endpoint(row, parts),
        observations=[ObservationStatus(**{**one, "paths": one["paths"].split(",")}) for one in observations],
    )


def _endpoint(row: Row[Any], parts: Parts) -> dict[str, Any]:
    fields = dict(row._mapping)
    host, port = fields.pop("address_host"), fields.pop("address_port")
    address = Address(host=host, port=port) if host and port is not None else None
    return {**fields, "address": address, "tags": parts.bus.tags.of(row.name)}
