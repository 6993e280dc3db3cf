"""Firmware updates of endpoints: asked for, listed, followed, taken back. What carries them out is operations."""

from __future__ import annotations

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Body, Depends, Path, Query, Request
from sqlalchemy import select, tuple_

from flownexus_api.access import FirmwareOperator, Viewer
from flownexus_api.audit import add_outcome, write_down
from flownexus_api.documented import answers
from flownexus_api.endpoint_names import EndpointName
from flownexus_api.event_stream import EventStream, LastEventId, Place, event_stream
from flownexus_api.firmware_update_requests import UpdateRequest, check_device, check_same, image, update_of
from flownexus_api.firmware_update_views import EndpointFirmwareUpdate, FirmwareUpdateDetail, UpdateStep, shown
from flownexus_api.following import Followed, start_position
from flownexus_api.operation_examples import FIRMWARE_UPDATE_STREAM
from flownexus_api.operation_requests import IdempotencyKey
from flownexus_api.paging import NO_NUL, Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, PartsDep
from flownexus_runtime.firmware_updates import cancel_update, load_update, request_update
from flownexus_schemas import subjects
from flownexus_schemas.errors import FlowNexusError, InvalidMessage
from flownexus_schemas.firmware.messages import parse_firmware_event, what_of
from flownexus_schemas.firmware.update import FirmwareUpdate, UpdateStatus
from flownexus_schemas.subjects import Stream
from flownexus_schemas.tables import FirmwareUpdate as Kept
from flownexus_schemas.tables import FirmwareUpdateChange as Change

router = APIRouter(tags=["firmware"])

SOURCE = "/api"
ID = r"^[0-9A-Za-z_-]{1,40}$"
KEY = (Kept.created_at, Kept.id)

UpdateId = Annotated[str, Path(pattern=ID, description="As the answer to the request had it.")]


class FirmwareUpdates(Page[EndpointFirmwareUpdate]):
    """A page of firmware updates, the newest first."""


@router.post(
    "/endpoints/{endpoint}/firmware-updates",
    status_code=HTTPStatus.ACCEPTED,
    responses=answers(401, 403, 404, 409, 422, 503),
)
async def update_firmware(
    *,
    who: FirmwareOperator,
    parts: PartsDep,
    name: EndpointName,
    asked: Annotated[UpdateRequest, Body()],
    http: Request,
    idempotency_key: IdempotencyKey = None,
) -> EndpointFirmwareUpdate:
    """Have a device updated to an image, step by step, whenever it listens.

    For operators. 409 where the device is being updated, has no object 5, or is known not to do what is asked for. It
    has succeeded when the device says so and runs the image's version.
    """
    now = datetime.now(UTC)
    asked.check(now)
    async with parts.engine.begin() as database:
        await check_device(database, name, asked)
        found = await image(database, asked.firmware)
    update = update_of(asked, name, found, who=who, now=now, key=idempotency_key)
    details = {"update": update.id, "firmware": found.id, "version": found.version}
    entry = await write_down(parts, who, "firmware-update.requested", name, http, details=details)
    try:
        kept = await request_update(parts.bus.jetstream(), update, SOURCE)
        check_same(update, kept)
    except FlowNexusError as error:
        await add_outcome(parts, entry, {"error": str(error)})
        raise
    return EndpointFirmwareUpdate(**shown(kept))


@router.get("/firmware-updates", responses=answers(401, 422, 503))
async def list_firmware_updates(
    *,
    _: Viewer,
    database: Database,
    endpoint: Annotated[str | None, Query(max_length=255, pattern=NO_NUL, description="Only this endpoint.")] = None,
    status: Annotated[list[UpdateStatus] | None, Query(description="Only these; repeat it for several.")] = None,
    rollout: Annotated[str | None, Query(pattern=ID, description="Only those of this rollout.")] = None,
    firmware: Annotated[str | None, Query(pattern=ID, description="Only those to this image.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> FirmwareUpdates:
    """Updates and how they stand, the newest first."""
    query = select(Kept.id, Kept.created_at, Kept.detail).order_by(*(one.desc() for one in KEY)).limit(limit + 1)
    if endpoint is not None:
        query = query.where(Kept.endpoint == endpoint)
    if status:
        query = query.where(Kept.status.in_([one.value for one in status]))
    if rollout is not None:
        query = query.where(Kept.rollout == rollout)
    if firmware is not None:
        query = query.where(Kept.firmware_id == firmware)
    if cursor:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "-firmware-update", (datetime, str))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    following = cursor_of("-firmware-update", rows[-1].created_at, rows[-1].id) if more else None
    items = [EndpointFirmwareUpdate(**shown(FirmwareUpdate.model_validate(row.detail))) for row in rows]
    return FirmwareUpdates(items=items, next=following)


def _filters(
    endpoint: Annotated[str | None, Query(description="Only this endpoint.", max_length=255)] = None,
    update: Annotated[str | None, Query(description="Only this update.", pattern=ID)] = None,
) -> list[str]:
    if update is not None:
        return [subjects.firmware_update_of_any(update) if endpoint is None else subjects.firmware(endpoint, update)]
    return [subjects.FIRMWARE_UPDATES if endpoint is None else subjects.firmware_updates_of(endpoint)]


async def _start(_: Viewer, parts: PartsDep, last_event_id: LastEventId = None) -> int:
    return await start_position(parts.bus, last_event_id, Stream.OPERATIONS)


# Before the route of one update, whose id it would be.
@router.get(
    "/firmware-updates/stream",
    response_class=EventStream,
    responses=answers(401, 422, 503) | {200: {"content": {"text/event-stream": {"example": FIRMWARE_UPDATE_STREAM}}}},
)
async def get_firmware_update_stream(
    parts: PartsDep,
    filters: Annotated[list[str], Depends(_filters)],
    after: Annotated[int, Depends(_start)],
    ends_at: Place,
) -> EventStream:
    """What happens to firmware updates from now on, as `GET /stream` has it of devices; `event` is `requested`,
    `asked`, `answered`, `downloaded` and so on, `data` the CloudEvent with the update as it is then.
    """

    def name_of(followed: Followed) -> str | None:
        try:
            return what_of(parse_firmware_event(followed.payload))
        except InvalidMessage:
            return None  # ingest sets it aside, with the reason

    return event_stream(parts, Stream.OPERATIONS, filters, name_of, after=after, ends_at=ends_at)


@router.get("/firmware-updates/{update}", responses=answers(401, 404, 422, 503))
async def get_firmware_update(
    *, _: Viewer, parts: PartsDep, database: Database, update: UpdateId
) -> FirmwareUpdateDetail:
    """One firmware update, with all that happened to it."""
    row = (await database.execute(select(Kept.detail).where(Kept.id == update))).one_or_none()
    if row is None:
        known, _sequence = await load_update(parts.bus.jetstream(), update)
        return FirmwareUpdateDetail(**shown(known), history=[])
    columns = (Change.time, Change.what, Change.status, Change.state, Change.result, Change.transferred, Change.action)
    changes = await database.execute(
        select(*columns).where(Change.update_id == update).order_by(Change.stream_sequence)
    )
    history = [UpdateStep.model_validate(change, from_attributes=True) for change in changes]
    return FirmwareUpdateDetail(**shown(FirmwareUpdate.model_validate(row.detail)), history=history)


@router.post("/firmware-updates/{update}/cancel", responses=answers(401, 403, 404, 409, 422, 503))
async def cancel_firmware_update(
    *, who: FirmwareOperator, parts: PartsDep, update: UpdateId, http: Request
) -> EndpointFirmwareUpdate:
    """Take an update back: the device is told to drop the image. 409 once it installs. For operators."""
    await write_down(parts, who, "firmware-update.cancelled", update, http)
    return EndpointFirmwareUpdate(**shown(await cancel_update(parts.bus.jetstream(), update, who.name, SOURCE)))
