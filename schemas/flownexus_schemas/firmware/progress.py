"""How far a download of a firmware image is: told by whoever serves it, in no stream."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from flownexus_schemas.cloudevent import Frozen

Via = Literal["coap", "coaps", "http"]


class FirmwareProgress(Frozen):
    """A device that pulls an image was given bytes of it: at most one a second an update, and always the last block."""

    update_id: str
    bytes_served_upto: int = Field(ge=0, description="Where the last part that was served ends, in bytes.")
    size: int = Field(ge=0, description="Bytes of the image.")
    via: Via
