"""The Firmware Update object: its resources, states and results. LwM2M Core 1.1.1, E.6."""

from __future__ import annotations

from enum import IntEnum

from flownexus_simulator.values import Path

PACKAGE: Path = (5, 0, 0)
PACKAGE_URI: Path = (5, 0, 1)
UPDATE: Path = (5, 0, 2)
STATE: Path = (5, 0, 3)
RESULT: Path = (5, 0, 5)
PACKAGE_NAME: Path = (5, 0, 6)
PACKAGE_VERSION: Path = (5, 0, 7)
RUNNING_VERSION: Path = (3, 0, 3)

TOLD = (STATE, RESULT, PACKAGE_NAME, PACKAGE_VERSION, RUNNING_VERSION)
"""What a device notifies when it changes."""


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
    NO_ROOM = 2
    OUT_OF_MEMORY = 3
    CONNECTION_LOST = 4
    INTEGRITY_FAILURE = 5
    UNSUPPORTED_PACKAGE = 6
    INVALID_URI = 7
    UPDATE_FAILED = 8
    UNSUPPORTED_PROTOCOL = 9
