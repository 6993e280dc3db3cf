"""Firmware images: uploaded, listed, removed, and linked to for devices."""

from __future__ import annotations

import asyncio
import hashlib
import secrets
import tempfile
import time
from datetime import datetime
from http import HTTPStatus
from typing import IO, Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field
from sqlalchemy import Row, delete, func, insert, select, tuple_
from sqlalchemy.exc import IntegrityError

from flownexus_api.access import FirmwareOperator, Viewer
from flownexus_api.audit import write_down
from flownexus_api.documented import answers
from flownexus_api.errors import TooLarge
from flownexus_api.paging import NO_NUL, Page, cursor_of, keys_of, page_of
from flownexus_api.parts import Database, Parts, PartsDep
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound
from flownexus_schemas.tables import Firmware as Kept

router = APIRouter(prefix="/firmware", tags=["firmware"])

NO_BOUND = 2**62
"""The body is counted as it comes, and the setting bounds it."""

SPOOLED_BYTES = 1 << 20
"""Of an image that is being uploaded; what is more is in a file."""

ID_BYTES = 8
MAX_LINK_S = 30 * 86_400

FirmwareId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="As the list has it.")]
Text = Annotated[str, Query(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]

COLUMNS: tuple[Any, ...] = (
    Kept.id,
    Kept.name,
    Kept.version,
    Kept.file_name,
    Kept.size,
    Kept.sha256,
    Kept.notes,
    Kept.uploaded_by,
    Kept.created_at,
    Kept.updated_at,
)
KEY = (Kept.created_at, Kept.id)


class Firmware(BaseModel):
    """An image that devices can be updated to."""

    id: str
    name: str = Field(description="Of the package, as 5/0/6 of a device has it.")
    version: str = Field(description="As the device has it once it runs the image.")
    file_name: str
    size: int = Field(description="Bytes.")
    sha256: str
    notes: str | None
    uploaded_by: str | None
    created_at: datetime
    updated_at: datetime


class Firmwares(Page[Firmware]):
    """A page of images, the newest first."""


class FirmwareLink(BaseModel):
    """Where a device can fetch an image, without a login, until `expires_at`."""

    path: str = Field(description="Below the address of the api: `http://host:port` + path.")
    expires_at: datetime


@router.post(
    "", status_code=HTTPStatus.CREATED, responses=answers(401, 403, 409, 413, 422, 503), max_body_size=NO_BOUND
)
async def upload_firmware(
    *,
    who: FirmwareOperator,
    parts: PartsDep,
    http: Request,
    name: Text,
    version: Text,
    file_name: Text,
    sha256: Annotated[
        str | None,
        Query(pattern=r"^[0-9A-Fa-f]{64}$", description="What the image must have; it is refused otherwise."),
    ] = None,
    signature: Annotated[
        str | None,
        Query(max_length=1000, description="Base64, over the image; it is refused where another key signed it."),
    ] = None,
    notes: Annotated[str | None, Query(max_length=4000, pattern=NO_NUL)] = None,
) -> Firmware:
    """Keep the body of this request as an image. For operators.

    It is read as it comes, up to the limit that the api is set to. One of this name and version must not be there: what
    devices may have fetched is not changed under them.
    """
    parts.image_signatures.check_given(signature)
    await _refuse_known(parts, name, version)
    with tempfile.SpooledTemporaryFile(SPOOLED_BYTES) as content:
        size, digest = await _received(http, content, parts.max_firmware_bytes)
        if size == 0:
            raise InvalidRequest("body: it is the image, and it is empty.")
        if sha256 is not None and digest != sha256.lower():
            raise InvalidRequest(f"query.sha256: the image has {digest}; nothing was kept.")
        await asyncio.to_thread(parts.image_signatures.check, signature, bytes.fromhex(digest), content)
        image = secrets.token_hex(ID_BYTES)
        details = {"name": name, "version": version, "sha256": digest, "size": size}
        await write_down(parts, who, "firmware.uploaded", image, http, details=details)
        content.seek(0)
        await parts.images.put(image, content)
    kept = insert(Kept).values(
        id=image,
        name=name,
        version=version,
        file_name=file_name,
        size=size,
        sha256=digest,
        notes=notes,
        uploaded_by=who.name,
        created_at=func.now(),
        updated_at=func.now(),
    )
    try:
        async with parts.engine.begin() as connection:
            row = (await connection.execute(kept.returning(*COLUMNS))).one()
    except BaseException as error:
        await parts.images.delete(image)
        if isinstance(error, IntegrityError):
            raise _known(name, version) from error
        raise
    return _shown(row)


@router.get("", responses=answers(401, 422, 503))
async def list_firmware(
    *,
    _: Viewer,
    database: Database,
    name: Annotated[str | None, Query(max_length=255, pattern=NO_NUL, description="Only of this package.")] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[str | None, Query(description="`next` of the page before.")] = None,
) -> Firmwares:
    """The images, the newest first."""
    query = select(*COLUMNS).order_by(*(column.desc() for column in KEY)).limit(limit + 1)
    if name is not None:
        query = query.where(Kept.name == name)
    if cursor:
        query = query.where(tuple_(*KEY) < tuple_(*keys_of(cursor, "-firmware", (datetime, str))))
    rows, more = page_of((await database.execute(query)).all(), limit)
    following = cursor_of("-firmware", rows[-1].created_at, rows[-1].id) if more else None
    return Firmwares(items=[_shown(row) for row in rows], next=following)


@router.get("/{firmware}", responses=answers(401, 404, 422, 503))
async def get_firmware(*, _: Viewer, database: Database, firmware: FirmwareId) -> Firmware:
    """One image."""
    row = (await database.execute(select(*COLUMNS).where(Kept.id == firmware))).one_or_none()
    if row is None:
        raise unknown_firmware(firmware)
    return _shown(row)


@router.delete("/{firmware}", responses=answers(401, 403, 404, 422, 503))
async def delete_firmware(*, who: FirmwareOperator, parts: PartsDep, firmware: FirmwareId, http: Request) -> Firmware:
    """Remove an image for good; links to it end. For operators."""
    await write_down(parts, who, "firmware.deleted", firmware, http)
    async with parts.engine.begin() as connection:
        gone = delete(Kept).where(Kept.id == firmware).returning(*COLUMNS)
        row = (await connection.execute(gone)).one_or_none()
        if row is None:
            raise unknown_firmware(firmware)
        # The row goes only with the image: where NATS is away, both stay.
        await parts.images.delete(firmware)
    return _shown(row)


@router.post("/{firmware}/link", responses=answers(401, 403, 404, 422, 503))
async def link_firmware(
    *,
    _: FirmwareOperator,
    parts: PartsDep,
    firmware: FirmwareId,
    lifetime_s: Annotated[int, Query(ge=1, le=MAX_LINK_S, description="Seconds for which it is good.")] = 86_400,
) -> FirmwareLink:
    """A link that a device can fetch the image by: signed, for a while. For operators."""
    async with parts.engine.begin() as connection:
        row = (await connection.execute(select(Kept.id).where(Kept.id == firmware))).one_or_none()
    if row is None:
        raise unknown_firmware(firmware)
    expires_at = int(time.time()) + lifetime_s
    path = (await parts.bus.firmware_links()).path(firmware, expires_at)
    return FirmwareLink(path=f"/{path}", expires_at=datetime.fromtimestamp(expires_at).astimezone())


def unknown_firmware(firmware: str) -> NotFound:
    return NotFound(f"There is no firmware {firmware!r}.")


async def _received(http: Request, content: IO[bytes], limit: int) -> tuple[int, str]:
    """Size and SHA-256 of the body, which is in `content` then. Raises TooLarge."""
    size, digest = 0, hashlib.sha256()
    async for chunk in http.stream():
        size += len(chunk)
        if size > limit:
            raise TooLarge(f"An image has at most {limit} bytes here (FLOWNEXUS_MAX_FIRMWARE_BYTES).")
        digest.update(chunk)
        content.write(chunk)
    return size, digest.hexdigest()


async def _refuse_known(parts: Parts, name: str, version: str) -> None:
    """Before the body is read. Raises Conflict."""
    async with parts.engine.begin() as connection:
        query = select(Kept.id).where(Kept.name == name, Kept.version == version)
        if (await connection.execute(query)).one_or_none() is not None:
            raise _known(name, version)


def _known(name: str, version: str) -> Conflict:
    return Conflict(f"There is firmware {name!r} of version {version!r} already; give this one another version.")


def _shown(row: Row[Any]) -> Firmware:
    return Firmware.model_validate(row, from_attributes=True)
