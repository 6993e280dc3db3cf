"""A package that a server writes, in blocks or at once: which block is next, and what is answered.

RFC 7959, 2.5; LwM2M Core 1.1.1, E.6.
"""

from __future__ import annotations

from flownexus_schemas.lwm2m.content_format import ContentFormat
from flownexus_simulator.coap import Code, Message, Option
from flownexus_simulator.downloads import Fetched, Part
from flownexus_simulator.firmware import Firmware
from flownexus_simulator.object5 import Result, State

MORE = 1 << 3
_REFUSALS = {
    Result.NO_ROOM: Code.REQUEST_ENTITY_TOO_LARGE,
    Result.OUT_OF_MEMORY: Code.REQUEST_ENTITY_TOO_LARGE,
}


class PackageBlocks:
    """Takes blocks in their order; the size of the first answer is the device's own. One transfer at a time."""

    def __init__(self, firmware: Firmware, block_size: int) -> None:
        self._firmware = firmware
        self._exponent = block_size.bit_length() - 5
        self._expected: int | None = None
        """The byte that the next block begins with; None where no transfer is under way."""

    def forget(self) -> None:
        """The device restarts."""
        self._expected = None

    def take(self, request: Message, block: int) -> tuple[Code, int]:
        """The code of the answer and its Block1 option."""
        number, more, exponent = block >> 4, bool(block & MORE), block & 7
        echo = number << 4 | (block & MORE) | min(exponent, self._exponent)
        offset = number << exponent + 4
        if not self._firmware.takes_push:
            return Code.METHOD_NOT_ALLOWED, echo
        if request.number(Option.CONTENT_FORMAT) != ContentFormat.OPAQUE:
            return Code.UNSUPPORTED_CONTENT_FORMAT, echo
        if number == 0:
            self._expected = 0
            if not self._firmware.begin_push(request.number(Option.SIZE1)):
                self._expected = None
                return Code.REQUEST_ENTITY_TOO_LARGE, echo
        if self._expected is None or offset > self._expected:
            self._expected = None
            return Code.REQUEST_ENTITY_INCOMPLETE, echo
        if offset < self._expected:  # it came before, and its answer was lost
            return Code.CONTINUE, echo
        self._firmware.take(Part(request.payload, None))
        self._expected += len(request.payload)
        if more and self._firmware.state is State.DOWNLOADING:
            return Code.CONTINUE, echo
        self._expected = None
        self._firmware.take(Fetched())
        return self._outcome(), echo

    def whole(self, package: bytes) -> Code:
        """A package in one message. An empty one, or a zero byte, drops what is there."""
        self._expected = None
        if package in {b"", b"\0"}:
            self._firmware.reset()
            return Code.CHANGED
        if not self._firmware.takes_push:
            return Code.METHOD_NOT_ALLOWED
        if self._firmware.begin_push(len(package)):
            self._firmware.take(Part(package, None))
            self._firmware.take(Fetched())
        return self._outcome()

    def _outcome(self) -> Code:
        if self._firmware.state is State.DOWNLOADED:
            return Code.CHANGED
        return _REFUSALS.get(self._firmware.result, Code.INTERNAL_SERVER_ERROR)
