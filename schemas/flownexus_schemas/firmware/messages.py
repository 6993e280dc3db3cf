"""Messages of LWM2M_OPERATIONS on `lwm2m.firmware.<endpoint>.<update id>`.

Each carries the update as it is after what happened, so the last message of a subject is all there is to know.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import ValidationError

from flownexus_schemas.cloudevent import CloudEvent
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.firmware.happenings import (
    Answered,
    Asked,
    CameBack,
    CancelAsked,
    Cancelled,
    CancelTooLate,
    Downloaded,
    GivenUp,
    Happening,
    InstallAsked,
    InstalledByItself,
    Postponed,
    Reported,
    Retried,
    Succeeded,
    Unmet,
    WayChosen,
)
from flownexus_schemas.firmware.update import FirmwareUpdate

EventType = Literal[
    "io.flownexus.firmware.requested.v1",
    "io.flownexus.firmware.asked.v1",
    "io.flownexus.firmware.answered.v1",
    "io.flownexus.firmware.unmet.v1",
    "io.flownexus.firmware.reported.v1",
    "io.flownexus.firmware.transferring.v1",
    "io.flownexus.firmware.retried.v1",
    "io.flownexus.firmware.downloaded.v1",
    "io.flownexus.firmware.installing.v1",
    "io.flownexus.firmware.postponed.v1",
    "io.flownexus.firmware.verifying.v1",
    "io.flownexus.firmware.succeeded.v1",
    "io.flownexus.firmware.failed.v1",
    "io.flownexus.firmware.cancelling.v1",
    "io.flownexus.firmware.cancelled.v1",
]


class FirmwareUpdateChanged(CloudEvent):
    """Something happened to the firmware update of an endpoint: `type` says what, `data` is the update after it."""

    type: EventType
    data: FirmwareUpdate


EVENT_OF: dict[type[Happening], EventType] = {
    Asked: "io.flownexus.firmware.asked.v1",
    Answered: "io.flownexus.firmware.answered.v1",
    Unmet: "io.flownexus.firmware.unmet.v1",
    Reported: "io.flownexus.firmware.reported.v1",
    WayChosen: "io.flownexus.firmware.transferring.v1",
    Retried: "io.flownexus.firmware.retried.v1",
    Downloaded: "io.flownexus.firmware.downloaded.v1",
    InstallAsked: "io.flownexus.firmware.installing.v1",
    InstalledByItself: "io.flownexus.firmware.installing.v1",
    Postponed: "io.flownexus.firmware.postponed.v1",
    CameBack: "io.flownexus.firmware.verifying.v1",
    Succeeded: "io.flownexus.firmware.succeeded.v1",
    GivenUp: "io.flownexus.firmware.failed.v1",
    CancelAsked: "io.flownexus.firmware.cancelling.v1",
    CancelTooLate: "io.flownexus.firmware.installing.v1",
    Cancelled: "io.flownexus.firmware.cancelled.v1",
}


def requested(update: FirmwareUpdate, source: str) -> FirmwareUpdateChanged:
    """The first message of an update."""
    return FirmwareUpdateChanged(
        id=f"{update.id}-requested",
        source=source,
        subject=update.endpoint,
        time=update.requested_at,
        type="io.flownexus.firmware.requested.v1",
        data=update,
    )


def changed(
    update: FirmwareUpdate, happening: Happening, *, after: int, source: str, now: datetime
) -> FirmwareUpdateChanged:
    """The message of what happened: `update` is as it is then, `after` the sequence that it rests on."""
    return FirmwareUpdateChanged(
        id=f"{update.id}-{after}-{type(happening).__name__.lower()}",
        source=source,
        subject=update.endpoint,
        time=now,
        type=EVENT_OF[type(happening)],
        data=update,
    )


def what_of(event: FirmwareUpdateChanged) -> str:
    """`downloaded` of `io.flownexus.firmware.downloaded.v1`."""
    return event.type.split(".")[-2]


def parse_firmware_event(payload: bytes) -> FirmwareUpdateChanged:
    """Read one message of an update's subject. Raises InvalidMessage with the reason."""
    try:
        return FirmwareUpdateChanged.model_validate_json(payload)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidMessage(f"not a firmware event: {where}: {first['msg']}") from error
