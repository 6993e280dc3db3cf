"""What the tests of habits have in common: a device that is registered, one exchange that it serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from flownexus_schemas.events import ValuesReported
from harness.lockstep import (
    ACK,
    CON,
    CONTENT_FORMAT,
    POST,
    URI_PATH,
    Heard,
    LockstepDevice,
    datagram,
    uint,
)

NAME = "device-1"
FLOAT_21_5 = b"\x41\xac\x00\x00"
TLV_21_5 = b"\xe4\x16\x44" + FLOAT_21_5
"""Resource 5700, four bytes, the float 21.5. LwM2M Core 1.1.1, 7.4.3."""


def serves(
    device: LockstepDevice, code: int, path: str, *answer: object, heard: list[Heard] | None = None
) -> Callable[[], None]:
    """The device's part of one exchange: this request, then this answer (as `LockstepDevice.answer` takes it)."""

    def serve() -> None:
        request = device.expect_request(code, path)
        if heard is not None:
            heard.append(request)
        device.answer(request, *answer)  # type: ignore[arg-type]

    return serve


def send(device: LockstepDevice, payload: bytes, content_format: int) -> Heard:
    """A Send and its answer. LwM2M Core 1.1.1, 6.4.6."""
    options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(content_format))]
    return device.exchange(datagram(CON, POST, next(device.message_ids), b"s", options, payload))


def notify(device: LockstepDevice, data: bytes) -> None:
    """A confirmable notification, which is acknowledged."""
    heard = device.exchange(data)
    assert (heard.type, heard.code) == (ACK, 0), heard


def reported(events: Sequence[ValuesReported]) -> list[list[tuple[str, object]]]:
    """Paths and values of each report."""
    return [[(record.path, record.value) for record in event.data.records] for event in events]
