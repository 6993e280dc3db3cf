"""What is asked for when a device is to be updated, and what speaks against it before anything is done."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import AwareDatetime, BaseModel, Field
from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from flownexus_api.access import Person
from flownexus_api.endpoint_names import unknown_endpoint
from flownexus_schemas.errors import Conflict, InvalidRequest, NotFound
from flownexus_schemas.firmware.update import FirmwareUpdate, Method, Scheme
from flownexus_schemas.firmware.window import Install
from flownexus_schemas.tables import Firmware

OBJECT = "5"
PULL_ONLY, PUSH_ONLY = 0, 1

DEVICE = """
select object_links, (
    select value_integer from latest_value l join resource_type t on t.id = l.resource_type_id
    where l.endpoint_id = e.id and t.object_id = 5 and t.resource_id = 9 and l.object_instance_id = 0
) as delivery
from endpoint e where name = :name
"""


class UpdateRequest(BaseModel):
    """Update a device to an image."""

    firmware: str = Field(pattern=r"^[0-9a-f]{16}$", description="Id of the image.")
    method: Method = Field(default=Method.AUTO, description="Who moves it: the device, or we; as 5/0/9 says if auto.")
    scheme: Scheme = Field(default=Scheme.AUTO, description="How it fetches it; as it says (5/0/8) if auto.")
    install: Install = Field(default=Install(), description="When it is installed: at once where nothing is given.")
    expires_at: AwareDatetime | None = Field(default=None, description="It is not begun any more from then on.")

    def check(self, now: datetime) -> None:
        """Raises InvalidRequest where it contradicts itself."""
        if self.method is Method.PUSH and self.scheme is not Scheme.AUTO:
            raise InvalidRequest("scheme: an image that is pushed has none; leave it out.")
        if self.expires_at is not None and self.expires_at <= now:
            raise InvalidRequest(f"expires_at: it is past; it is {now:%Y-%m-%dT%H:%M:%SZ} here.")


class Image(NamedTuple):
    """What an update needs to know of an image."""

    id: str
    name: str
    version: str
    size: int
    sha256: str


async def image(database: AsyncConnection, firmware: str) -> Image:
    """Raises NotFound."""
    query = select(Firmware.id, Firmware.name, Firmware.version, Firmware.size, Firmware.sha256)
    row = (await database.execute(query.where(Firmware.id == firmware))).one_or_none()
    if row is None:
        raise NotFound(f"There is no firmware {firmware!r}.")
    return Image(*row)


async def check_device(database: AsyncConnection, endpoint: str, asked: UpdateRequest) -> None:
    """Raises NotFound, and Conflict where the device is known not to be able to."""
    row = None
    if "\0" not in endpoint:
        row = (await database.execute(text(DEVICE), {"name": endpoint})).one_or_none()
    if row is None:
        raise unknown_endpoint(endpoint)
    if row.object_links and not any(link.split("/")[0] == OBJECT for link in row.object_links):
        raise Conflict(f"{endpoint!r} has no Firmware Update object (5): it cannot be updated.")
    pulls = asked.method is Method.PULL or asked.scheme is not Scheme.AUTO
    if row.delivery == PUSH_ONLY and pulls:
        raise Conflict(f"{endpoint!r} takes images by push only (5/0/9 is 1): ask for method push, or auto.")
    if row.delivery == PULL_ONLY and asked.method is Method.PUSH:
        raise Conflict(f"{endpoint!r} takes images by pull only (5/0/9 is 0): ask for method pull, or auto.")


def update_of(
    asked: UpdateRequest, endpoint: str, found: Image, *, who: Person, now: datetime, key: str | None
) -> FirmwareUpdate:
    """The update that is asked for; with a key always of the same id for the same person and endpoint."""
    fields: dict[str, Any] = {"id": secrets.token_hex(8), "endpoint": endpoint, "firmware": found.id}
    if key is not None:
        told = "\0".join((str(who.id), key, endpoint))
        fields["id"] = hashlib.blake2b(told.encode(), digest_size=8).hexdigest()
    return FirmwareUpdate(
        **fields,
        name=found.name,
        version=found.version,
        size=found.size,
        sha256=found.sha256,
        requested_at=now,
        requested_by=who.name,
        method=asked.method,
        scheme=asked.scheme,
        install=asked.install,
        expires_at=asked.expires_at,
    )


def check_same(asked: FirmwareUpdate, kept: FirmwareUpdate) -> None:
    """Raises InvalidRequest where the key was used for another request."""
    if _wish(asked) != _wish(kept):
        raise InvalidRequest("header.idempotency-key: it was used for another request; choose a new one.")


def _wish(update: FirmwareUpdate) -> tuple[object, ...]:
    return (update.firmware, update.method, update.scheme, update.install, update.expires_at)
