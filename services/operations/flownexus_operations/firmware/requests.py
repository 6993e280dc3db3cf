"""The operations by which a device is asked for each step. An update asks for the same one, whoever asks."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any, Final

from flownexus_operations.firmware.answers import (
    DELIVERY,
    PACKAGE_VERSION,
    PROTOCOLS,
    RESULT,
    RUNNING_VERSION,
    STATE,
)
from flownexus_operations.firmware.limits import Limits
from flownexus_schemas.commands import (
    AnyCommand,
    ExecuteResource,
    ObserveResource,
    OfferFirmware,
    PathValue,
    PushFirmware,
    ReadResource,
    WriteResource,
)
from flownexus_schemas.firmware.update import FirmwareUpdate, Step
from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.operations.operation import MAX_ATTEMPTS, Operation

ANSWER_S = 93.0
"""MAX_TRANSMIT_WAIT: RFC 7252, 4.8.2."""

_READ_PATHS: Final[dict[Step, str]] = {
    Step.READ: "5/0",
    Step.READ_VERSION: RUNNING_VERSION,
    Step.READ_STATE: STATE,
    Step.READ_RESULT: RESULT,
    Step.READ_PACKAGE_VERSION: PACKAGE_VERSION,
    Step.READ_PROTOCOLS: PROTOCOLS,
    Step.READ_DELIVERY: DELIVERY,
}

_ONCE = frozenset({Step.OFFER, Step.PUSH, Step.INSTALL})
"""Sent once: the state of a device that did not answer is read before it is told again."""

_TOKEN_BYTES = 4
_LARGEST_BLOCK: Final = 1024
_BLOCKS = frozenset({16, 32, 64, 128, 256, 512, 1024})
_NUL = "AA=="


def operation_of(update: FirmwareUpdate, limits: Limits, now: datetime) -> Operation:
    """The operation that the update waits for."""
    assert update.operation is not None
    assert update.step is not None
    closes = None
    if update.step is Step.INSTALL:
        _, closes = update.install.next(update.installed_at or now)
    return Operation(
        id=update.operation,
        endpoint=update.endpoint,
        command=_command(update, update.step, limits),
        requested_at=now,
        requested_by=update.requested_by,
        expires_at=closes,
        batch=update.operation_batch,
        max_attempts=1 if update.step in _ONCE else MAX_ATTEMPTS,
    )


def _command(update: FirmwareUpdate, step: Step, limits: Limits) -> AnyCommand:
    to: dict[str, Any] = {"endpoint": update.endpoint, "timeout_s": ANSWER_S}
    match step:
        case Step.OBSERVE_STATE:
            return ObserveResource(path="5/0/3", **to)
        case Step.OBSERVE_RESULT:
            return ObserveResource(path="5/0/5", **to)
        case Step.OFFER:
            scheme = None if update.way is None else update.way.scheme
            return OfferFirmware(
                firmware=update.firmware,
                update_id=update.id,
                scheme=scheme or "coap",
                link_lifetime_s=limits.link_lifetime_s,
                **to,
            )
        case Step.PUSH:
            return _push(update, limits)
        case Step.INSTALL:
            return ExecuteResource(path="5/0/2", **to)
        case Step.RESET:
            return _reset(update, to)
        case _:
            return ReadResource(path=_READ_PATHS[step], **to)


def _push(update: FirmwareUpdate, limits: Limits) -> PushFirmware:
    size = update.block_size if update.block_size in _BLOCKS else _LARGEST_BLOCK
    return PushFirmware.model_validate(
        {
            "endpoint": update.endpoint,
            "timeout_s": ANSWER_S + limits.slice_s,
            "firmware": update.firmware,
            "update_id": update.id,
            "offset": update.transferred,
            "token": _token(update),
            "block_size": size,
            "slice_s": limits.slice_s,
        }
    )


def _token(update: FirmwareUpdate) -> str:
    """The same for all parts of one transfer, another one for the next."""
    text = f"{update.id}-{update.transfers}"
    return hashlib.blake2b(text.encode(), digest_size=_TOKEN_BYTES).hexdigest()


def _reset(update: FirmwareUpdate, to: dict[str, Any]) -> WriteResource:
    """An empty Package URI, or a NUL as Package, by turns: each is done by some clients only. LwM2M Core 1.1.1, E.6."""
    pushes = update.way is not None and update.way.method == "push"
    if pushes == (update.resets % 2 == 1):
        value = PathValue(path="5/0/0", value=_NUL, type=DataType.OPAQUE)
        return WriteResource(path="5/0/0", values=(value,), format=ContentFormat.OPAQUE, **to)
    return WriteResource(path="5/0/1", values=(PathValue(path="5/0/1", value="", type=DataType.STRING),), **to)
