"""Firmware updates as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from flownexus_schemas.firmware.object5 import RESULT_WORDS, STATE_WORDS
from flownexus_schemas.firmware.update import FirmwareUpdate, Method, Scheme, UpdateStatus
from flownexus_schemas.firmware.window import Install


class EndpointFirmwareUpdate(BaseModel):
    """The update of an endpoint to a firmware image, as it stands.

    QUEUED: nothing was asked of the device. PREPARING: it is asked what it runs and how it takes images. TRANSFERRING:
    it fetches the image, or is sent it. DOWNLOADED: it has the image and waits for its time. INSTALLING: it was told
    to install. VERIFYING: it is back, and asked how it went. SUCCEEDED: it runs the version. CANCELLING: it is told to
    drop the image.
    """

    id: str
    endpoint: str
    firmware: str
    name: str = Field(description="Of the image.")
    version: str = Field(description="Of the image.")
    rollout: str | None
    method: Method
    scheme: Scheme
    install: Install
    way: str | None = Field(description="How the image is brought to the device: `pull by coap`, `push`.")
    status: UpdateStatus
    state: int | None = Field(description="5/0/3 as the device said it last.")
    state_text: str | None
    result: int | None = Field(description="5/0/5 as the device said it last.")
    result_text: str | None
    size: int = Field(description="Bytes of the image.")
    transferred: int = Field(description="Bytes of it that the device has.")
    retries: int
    installs: int = Field(description="How often the device was told to install it.")
    version_before: str | None
    version_after: str | None
    waiting_for: str | None = Field(description="As words; null once it has ended.")
    last_action: str = Field(description="What happened last, as a sentence.")
    operation: str | None = Field(description="Id of the operation by which the device is being asked for something.")
    operation_batch: str = Field(description="All its operations are of this batch.")
    requested_at: datetime
    requested_by: str | None
    expires_at: datetime | None
    finished_at: datetime | None


class UpdateStep(BaseModel):
    """Something that happened to an update."""

    time: datetime
    what: str = Field(description="requested, asked, answered, unmet, reported, transferring, downloaded, ...")
    status: UpdateStatus
    state: int | None
    result: int | None
    transferred: int
    action: str


class FirmwareUpdateDetail(EndpointFirmwareUpdate):
    """An update with all that happened to it, the oldest first; empty while it is newer than the tables."""

    history: list[UpdateStep]


def shown(update: FirmwareUpdate) -> dict[str, Any]:
    """The fields of an EndpointFirmwareUpdate."""
    return {
        **update.model_dump(include=_SAME),
        "way": None if update.way is None else str(update.way),
        "state_text": None if update.state is None else STATE_WORDS.get(update.state),
        "result_text": None if update.result is None else RESULT_WORDS.get(update.result),
        "operation_batch": update.operation_batch,
    }


_SAME = (EndpointFirmwareUpdate.model_fields.keys() & FirmwareUpdate.model_fields.keys()) - {"way"}
