"""The firmware object of Zephyr 3.1's client, as its source has it, with its quirks.

Nothing of it is kept over a restart but the image that it starts with.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from flownexus_simulator.image import Damaged, NotAnImage, Reader
from harness.lockstep import BLOCK1, CHANGED, METHOD_NOT_ALLOWED, NOT_FOUND, Heard

IDLE, DOWNLOADING, DOWNLOADED, UPDATING = range(4)
DEFAULT, SUCCESS, CONNECTION_LOST, INTEGRITY_FAILED, UNSUPPORTED = 0, 1, 4, 5, 6
CONTINUE, INCOMPLETE = 0x5F, 0x88
MORE, SIZE_512, SIZE1 = 8, 5, 60


class Restarts(Exception):
    """The device starts anew here, and answers nothing."""


class ZephyrFirmware:
    """Object 5. `changed` is told the resource of each new value; `restart_at`: percent of an image at which the device
    restarts, once.
    """

    def __init__(self, version: str, changed: Callable[[int], None], restart_at: float | None = None) -> None:
        self.version, self._changed, self._restart_at = version, changed, restart_at
        self.digests: list[str] = []
        """SHA-256 of each image that was whole."""
        self._new_version: str | None = None
        self.forget()

    def forget(self) -> None:
        """What was in RAM is gone; after an installation the application says that it went well."""
        self.state, self.result, self.uri = IDLE, DEFAULT, ""
        if self._new_version is not None:
            self.version, self._new_version, self.result = self._new_version, None, SUCCESS
        self._contexts: dict[bytes, int] = {}
        self._reader, self._size = Reader(), 0

    def write_uri(self, uri: str) -> bool:
        """Whether a download begins. While there is something already, a link changes nothing, and is 2.04."""
        self.uri = uri
        if self.state == IDLE:
            self._set(IDLE, DEFAULT)
            if uri:
                self._reader, self._size = Reader(), 0
                self._set(DOWNLOADING, DEFAULT)
            return bool(uri)
        if self.state == DOWNLOADED and not uri:
            self._set(IDLE, DEFAULT)
        return False

    def write_package(self, request: Heard) -> tuple[int, int | None]:
        """The code of the answer, and its Block1. Zephyr 3.1 knows a transfer by its token."""
        block = request.number(BLOCK1)
        if block is None:
            return self._write(request.payload, is_last=True), None
        number, more, exponent = block >> 4, bool(block & MORE), block & 7
        answered = number << 4 | min(exponent, SIZE_512)  # with M=0
        if request.token not in self._contexts:
            if number:
                return NOT_FOUND, None
            self._contexts[request.token] = 0
            self._reader, self._size = Reader(), request.number(SIZE1) or 0
        expected = self._contexts[request.token]
        if number < expected:
            return CONTINUE if more else CHANGED, answered
        if number > expected:
            return INCOMPLETE, None
        # A first block of 1,024 bytes is two of the next.
        self._contexts[request.token] += max(0, exponent - SIZE_512) + 1
        code = self._write(request.payload, is_last=not more)
        if not more or code != CHANGED:
            self._contexts.pop(request.token)
        return (CONTINUE if more and code == CHANGED else code), answered

    def _write(self, data: bytes, *, is_last: bool) -> int:
        if self.state == IDLE:
            self._set(DOWNLOADING, DEFAULT)
        elif self.state == DOWNLOADED and data in {b"", b"\0"}:
            self._set(IDLE, DEFAULT)
            return CHANGED
        elif self.state != DOWNLOADING:
            return METHOD_NOT_ALLOWED
        return self.take(data, is_last=is_last)

    def take(self, data: bytes, *, is_last: bool, size: int | None = None) -> int:
        """Bytes of an image, pushed or fetched; the code that they end in. Raises Restarts."""
        self._size = size or self._size
        self._reader.feed(data)
        if self._restart_at is not None and 100 * self._reader.received >= self._restart_at * self._size:
            self._restart_at = None
            raise Restarts
        if not is_last:
            return CHANGED
        try:
            image = self._reader.finish()
        except (Damaged, NotAnImage) as error:
            self._set(IDLE, INTEGRITY_FAILED if isinstance(error, Damaged) else UNSUPPORTED)
            return INCOMPLETE if isinstance(error, Damaged) else 0x8F
        self._new_version = image.version
        self.digests.append(self._reader.sha256)
        self._set(DOWNLOADED, DEFAULT)
        return CHANGED

    def begins(self) -> None:
        """A download begins: here a device that restarts at 0 does. Raises Restarts."""
        if self._restart_at == 0:
            self._restart_at = None
            raise Restarts

    def lost(self) -> None:
        """The server fell silent, or refused."""
        self._set(IDLE, CONNECTION_LOST)

    def update(self) -> bool:
        """Execute; False is 4.05."""
        if self.state != DOWNLOADED:
            return False
        self._set(UPDATING, self.result)
        return True

    def _set(self, state: int, result: int) -> None:
        if not (state in {DOWNLOADED, UPDATING} or (state == IDLE and result == SUCCESS)):
            self._new_version = None
        if state != self.state:
            self.state = state
            self._changed(3)
        if result != self.result:
            self.result = result
            self._changed(5)


def digest(image: bytes) -> str:
    """As `digests` has it."""
    return hashlib.sha256(image).hexdigest()
