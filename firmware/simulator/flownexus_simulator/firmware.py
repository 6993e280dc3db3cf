"""The Firmware Update object as a state machine. LwM2M Core 1.1.1, E.6."""

from __future__ import annotations

from enum import IntEnum

from flownexus_simulator.values import Path, Tree

PACKAGE: Path = (5, 0, 0)
PACKAGE_URI: Path = (5, 0, 1)
UPDATE: Path = (5, 0, 2)
STATE: Path = (5, 0, 3)
RESULT: Path = (5, 0, 5)

DOWNLOAD_S = 3.0
INSTALL_S = 3.0


class State(IntEnum):
    """Resource 3."""

    IDLE = 0
    DOWNLOADING = 1
    DOWNLOADED = 2
    UPDATING = 3


class Result(IntEnum):
    """Resource 5."""

    INITIAL = 0
    SUCCESS = 1
    INTEGRITY_FAILURE = 5
    INVALID_URI = 7


class Firmware:
    """Resources 3 and 5 of the tree follow it. A download and an installation take three seconds each, no bytes."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.due: float | None = None
        self._set(State.IDLE, Result.INITIAL)

    @property
    def state(self) -> State:
        """Where the update stands."""
        return State(int(self._tree.value(STATE)))

    def write_package(self, package: bytes) -> None:
        """Write resource 0: an empty package or a single zero byte resets, an image is taken as downloaded."""
        if package in {b"", b"\x00"}:
            self._set(State.IDLE, Result.INITIAL)
        else:
            self._set(State.DOWNLOADED, Result.INITIAL)
        self.due = None

    def write_uri(self, uri: str, now: float) -> None:
        """Write resource 1: an empty URI resets, another starts a download."""
        self.due = None
        if not uri:
            self._set(State.IDLE, Result.INITIAL)
        elif uri.startswith(("coap://", "coaps://", "http://", "https://")):
            self._set(State.DOWNLOADING, Result.INITIAL)
            self.due = now + DOWNLOAD_S
        else:
            self._set(State.IDLE, Result.INVALID_URI)

    def update(self, now: float) -> bool:
        """Execute resource 2; False where nothing is downloaded: 4.05."""
        if self.state is not State.DOWNLOADED:
            return False
        self._set(State.UPDATING, Result.INITIAL)
        self.due = now + INSTALL_S
        return True

    def advance(self, now: float) -> bool:
        """What falls due by `now`; True when a new image has been installed and the device restarts."""
        if self.due is None or now < self.due:
            return False
        self.due = None
        if self.state is State.DOWNLOADING:
            self._set(State.DOWNLOADED, Result.INITIAL)
            return False
        self._set(State.IDLE, Result.SUCCESS)
        return True

    def _set(self, state: State, result: Result) -> None:
        self._tree.put(STATE, int(state))
        self._tree.put(RESULT, int(result))
