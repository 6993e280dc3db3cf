"""What can go wrong with a simulated firmware update, and what a device can do of one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """Of a device, or of an image: then every device that has it fails."""

    NO_ROOM = "no-room"
    OUT_OF_MEMORY = "out-of-memory"
    UNSUPPORTED = "unsupported"
    CORRUPT = "corrupt"
    CONNECTION_LOST = "connection-lost"
    STALLS = "stalls"
    SILENT = "silent"
    INSTALL_FAILS = "install-fails"
    OLD_VERSION = "old-version"
    FALSE_SUCCESS = "false-success"
    NO_REGISTER = "no-register"
    LATE_REPORT = "late-report"
    QUIET = "quiet"
    REBOOTS = "reboots"


MEANING: dict[Fault, str] = {
    Fault.NO_ROOM: "refuses the image: result 2",
    Fault.OUT_OF_MEMORY: "ends the download halfway: result 3",
    Fault.CONNECTION_LOST: "loses the connection halfway: result 4",
    Fault.CORRUPT: "has one byte wrong: result 5",
    Fault.UNSUPPORTED: "does not know such images: result 6",
    Fault.STALLS: "goes no further from the half on, and says nothing",
    Fault.SILENT: "answers no request about firmware",
    Fault.INSTALL_FAILS: "cannot install it: downloaded, result 8",
    Fault.OLD_VERSION: "restarts with the version that it had: idle, no result",
    Fault.FALSE_SUCCESS: "restarts with the version that it had, and says result 1",
    Fault.NO_REGISTER: "installs without a restart, and does not register again",
    Fault.LATE_REPORT: "registers again first, and says the result some seconds later",
    Fault.QUIET: "installs it, and is never heard again",
    Fault.REBOOTS: "installs it, and restarts again and again",
}

OF_IMAGES = (
    Fault.UNSUPPORTED,
    Fault.INSTALL_FAILS,
    Fault.OLD_VERSION,
    Fault.FALSE_SUCCESS,
    Fault.NO_REGISTER,
    Fault.LATE_REPORT,
    Fault.QUIET,
    Fault.REBOOTS,
)
"""What an image can make of a device that has all of it."""


class Protocol(StrEnum):
    """What a device fetches firmware by."""

    COAP = "coap"
    COAPS = "coaps"
    HTTP = "http"
    HTTPS = "https"


class Method(StrEnum):
    """How a device takes firmware."""

    PULL = "pull"
    PUSH = "push"
    BOTH = "both"


PROTOCOLS: dict[str, int] = {Protocol.COAP: 0, Protocol.COAPS: 1, Protocol.HTTP: 2, Protocol.HTTPS: 3}
"""5/0/8."""

METHODS: dict[str, int] = {Method.PULL: 0, Method.PUSH: 1, Method.BOTH: 2}
"""5/0/9."""


@dataclass(frozen=True, slots=True)
class FirmwareBehaviour:
    """What a device does about firmware.

    `block_size`: bytes, 16 to 1,024, a power of two. `room`: bytes of the largest image. `fault_times`: how often the
    fault strikes before all is well; None for always, as SILENT is. `restart_at`: percent of the image at which the
    device restarts, once. `keeps_download`: it goes on after a restart, instead of forgetting what it had.
    `bytes_per_s`: how fast it fetches at most.
    """

    method: str = "both"
    protocols: tuple[str, ...] = ("coap", "http")
    block_size: int = 512
    room: int = 64 << 20
    fault: Fault | None = None
    fault_times: int | None = None
    restart_at: float | None = None
    keeps_download: bool = False
    bytes_per_s: float | None = None
    install_s: float = 3.0


class Faults:
    """Of one device: what goes wrong with it, so often or always."""

    def __init__(self, fault: Fault | None, times: int | None) -> None:
        self._fault, self._left = fault, times

    def strikes(self, fault: Fault, of_image: str | None = None) -> bool:
        """Whether this goes wrong now; with an image that makes devices fail, always."""
        if of_image == fault:
            return True
        if fault is not self._fault or self._left == 0:
            return False
        if self._left is not None:
            self._left -= 1
        return True
