"""The Firmware Update object as a state machine. LwM2M Core 1.1.1, E.6. Sans-IO: bytes and time in."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NamedTuple
from urllib.parse import urlsplit

from flownexus_simulator.downloads import Download, Fetched, Fetcher, FetchFailed, Part, Transfer
from flownexus_simulator.faults import PROTOCOLS, Fault, Faults, FirmwareBehaviour
from flownexus_simulator.image import Damaged, NotAnImage
from flownexus_simulator.object5 import (
    PACKAGE_NAME,
    PACKAGE_URI,
    PACKAGE_VERSION,
    RESULT,
    RUNNING_VERSION,
    STATE,
    Result,
    State,
)
from flownexus_simulator.values import Path, Tree

LATE_S = 3.0
REBOOT_EVERY_S = 10.0
HALF = 50.0


class Restart(Enum):
    """What the device is to do after this."""

    AGAIN = auto()
    NEVER_HEARD = auto()


class _Booting(NamedTuple):
    """What the device is after the restart that ends an installation."""

    result: Result
    version: str


class Firmware:
    """Resources 3, 5, 6 and 7 of object 5 follow it, and 3/0/3. `due` is when it wants to be called next, `restart`
    what the device is to do, `is_changed` whether resources changed since somebody looked.
    """

    def __init__(
        self, tree: Tree, behaviour: FirmwareBehaviour, fetcher: Fetcher, record: Callable[[Download], None]
    ) -> None:
        self._tree, self._behaviour, self._fetcher, self._record = tree, behaviour, fetcher, record
        self._faults = Faults(behaviour.fault, behaviour.fault_times)
        self._has_restarted = self._reboots = False
        self._has = Transfer("")
        self._booting: _Booting | None = None
        self.due: float | None = None
        self.restart: Restart | None = None
        self.is_changed = False

    @property
    def state(self) -> State:
        """Where the update stands."""
        return State(int(self._tree.value(STATE)))

    @property
    def result(self) -> Result:
        """What came of the last one."""
        return Result(int(self._tree.value(RESULT)))

    @property
    def received(self) -> int:
        """Bytes of the image that it has."""
        return self._has.reader.received

    @property
    def is_stuck(self) -> bool:
        """Whether it takes nothing more of the image that is on its way."""
        return self._has.is_stuck

    @property
    def is_fetching(self) -> bool:
        """Whether its radio is on for a download."""
        return self.state is State.DOWNLOADING and self._has.via != "push"

    @property
    def answers(self) -> bool:
        """Whether it answers requests about firmware."""
        return self._behaviour.fault is not Fault.SILENT

    def reset(self) -> None:
        """Drop what is there: an empty package or URI was written."""
        self._fetcher.stop()
        self._set(State.IDLE, Result.INITIAL)
        self.due = None

    def write_uri(self, uri: str, now: float) -> bool:
        """Write resource 1: an empty URI resets, another starts a download; False where that is not allowed."""
        if not uri:
            self.reset()
            return True
        if self._behaviour.method == "push" or self.state in {State.DOWNLOADED, State.UPDATING}:
            return False
        scheme = urlsplit(uri).scheme
        self._fetcher.stop()
        if scheme not in PROTOCOLS or not urlsplit(uri).hostname:
            self._set(State.IDLE, Result.INVALID_URI)
        elif scheme not in self._behaviour.protocols:
            self._set(State.IDLE, Result.UNSUPPORTED_PROTOCOL)
        else:
            self._has = Transfer(scheme)
            self._set(State.DOWNLOADING, Result.INITIAL)
            self.due = now
        return True

    def begin_push(self, size: int | None) -> bool:
        """The first block of a package is there, of a whole of `size` bytes; False where there is no room for it."""
        self._fetcher.stop()
        self._has = Transfer("push", size)
        self._set(State.DOWNLOADING, Result.INITIAL)
        if (refusal := self._refusal()) is not None:
            self._fail(refusal)
            return False
        self._restarts()
        return True

    @property
    def takes_push(self) -> bool:
        """Whether a package may be written now."""
        return self._behaviour.method != "pull" and self.state in {State.IDLE, State.DOWNLOADING}

    def take(self, event: Part | Fetched | FetchFailed) -> None:
        """What came of the image."""
        if self.state is not State.DOWNLOADING or self._has.is_stuck:
            return
        match event:
            case Part(data=data, size=size):
                self._has.size = size or self._has.size
                if (refusal := self._refusal()) is not None:
                    self._fail(refusal)
                else:
                    self._part(data)
            case Fetched():
                self._finish()
            case FetchFailed(result=result):
                self._fail(result)

    def update(self, now: float) -> bool:
        """Execute resource 2; False where nothing is downloaded: 4.05."""
        if self.state is not State.DOWNLOADED:
            return False
        self._set(State.UPDATING, Result.INITIAL)
        self.due = now + self._behaviour.install_s
        return True

    def advance(self, now: float) -> None:
        """Do what falls due by `now`."""
        if self.due is None or now < self.due:
            return
        self.due = None
        match self.state:
            case State.DOWNLOADING:
                if not self._restarts():
                    self._fetcher.start(str(self._tree.value(PACKAGE_URI)), self.received)
            case State.UPDATING if self._booting is not None:
                self._start_with(self._booting)
            case State.UPDATING:
                self._install()
            case _ if self._reboots:
                self.restart = Restart.AGAIN

    def booted(self, now: float) -> None:
        """The device was switched off, and is back at `now`."""
        self._fetcher.stop()
        self._has.is_stuck = False
        self.due = now + REBOOT_EVERY_S if self._reboots else None
        match self.state:
            case State.UPDATING if self._booting is not None:
                self._put(RUNNING_VERSION, self._booting.version)
                if self._strikes(Fault.LATE_REPORT):
                    self.due = now + LATE_S
                else:
                    self._start_with(self._booting)
            case State.UPDATING:  # switched off before it was done
                self._set(State.DOWNLOADED, Result.INITIAL)
            case State.DOWNLOADING if self._behaviour.keeps_download and self._has.via != "push":
                self.due = now
            case State.DOWNLOADING:
                self._set(State.IDLE, Result.INITIAL)
            case State.DOWNLOADED if not self._behaviour.keeps_download:
                self._set(State.IDLE, Result.INITIAL)

    def _part(self, data: bytes) -> None:
        if data and self._strikes_halfway(Fault.CORRUPT):
            data = bytes((data[0] ^ 1,)) + data[1:]
        self._has.reader.feed(data)
        if self._restarts():
            return
        if self._strikes_halfway(Fault.STALLS):
            self._fetcher.stop()
            self._has.is_stuck = True
        elif self._strikes_halfway(Fault.OUT_OF_MEMORY):
            self._fail(Result.OUT_OF_MEMORY)
        elif self._strikes_halfway(Fault.CONNECTION_LOST):
            self._fail(Result.CONNECTION_LOST)

    def _refusal(self) -> Result | None:
        if max(self._has.size or 0, self.received) > self._behaviour.room or (
            self.received == 0 and self._strikes(Fault.NO_ROOM)
        ):
            return Result.NO_ROOM
        return None

    def _finish(self) -> None:
        try:
            image = self._has.reader.finish()
        except NotAnImage:
            self._fail(Result.UNSUPPORTED_PACKAGE)
        except Damaged:
            self._fail(Result.INTEGRITY_FAILURE)
        else:
            self._has.image = image
            if self._strikes(Fault.UNSUPPORTED):
                self._fail(Result.UNSUPPORTED_PACKAGE)
                return
            self._put(PACKAGE_NAME, image.name)
            self._put(PACKAGE_VERSION, image.version)
            self._set(State.DOWNLOADED, Result.INITIAL)
            self._tell(Result.INITIAL)

    def _fail(self, result: Result) -> None:
        self._fetcher.stop()
        self._set(State.IDLE, result)
        self._tell(result)

    def _install(self) -> None:
        """The image is written: what the device starts with next."""
        assert self._has.image is not None
        if self._strikes(Fault.INSTALL_FAILS):
            self._set(State.DOWNLOADED, Result.UPDATE_FAILED)
            self._tell(Result.UPDATE_FAILED)
            return
        had = str(self._tree.value(RUNNING_VERSION))
        booting = _Booting(Result.SUCCESS, self._has.image.version)
        if self._strikes(Fault.OLD_VERSION):
            booting = _Booting(Result.INITIAL, had)
        elif self._strikes(Fault.FALSE_SUCCESS):
            booting = _Booting(Result.SUCCESS, had)
        self._tell(booting.result)
        if self._strikes(Fault.NO_REGISTER):
            self._start_with(booting)
            return
        self._booting = booting
        self._reboots = self._strikes(Fault.REBOOTS)
        self.restart = Restart.NEVER_HEARD if self._strikes(Fault.QUIET) else Restart.AGAIN

    def _start_with(self, booting: _Booting) -> None:
        self._booting = None
        self._put(RUNNING_VERSION, booting.version)
        self._set(State.IDLE, booting.result)

    def _restarts(self) -> bool:
        """Whether this is where the device is to restart."""
        at = self._behaviour.restart_at
        if at is None or self._has_restarted or self._has.percent < at:
            return False
        self._has_restarted = True
        self._fetcher.stop()
        self.restart = Restart.AGAIN
        return True

    def _strikes_halfway(self, fault: Fault) -> bool:
        if self._has.percent < HALF or self._has.has_struck or not self._strikes(fault):
            return False
        self._has.has_struck = True
        return True

    def _strikes(self, fault: Fault) -> bool:
        image = self._has.image
        return self._faults.strikes(fault, None if image is None else image.fault)

    def _set(self, state: State, result: Result) -> None:
        if state is State.IDLE:
            self._put(PACKAGE_NAME, "")
            self._put(PACKAGE_VERSION, "")
        self._put(STATE, int(state))
        self._put(RESULT, int(result))

    def _put(self, path: Path, value: str | int) -> None:
        if self._tree.value(path) != value:
            self._tree.put(path, value)
            self.is_changed = True

    def _tell(self, result: Result) -> None:
        version = "" if self._has.image is None else self._has.image.version
        self._record(Download(self._has.via, self.received, self._has.reader.sha256, version, result))
