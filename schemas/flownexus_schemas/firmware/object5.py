"""What a device says of its firmware update: State (5/0/3) and Update Result (5/0/5). LwM2M Core 1.1.1, E.6."""

from __future__ import annotations

from enum import IntEnum


class State(IntEnum):
    """5/0/3."""

    IDLE = 0
    DOWNLOADING = 1
    DOWNLOADED = 2
    UPDATING = 3


class Result(IntEnum):
    """5/0/5. 10 and 11 are of version 1.1 of the object."""

    NONE = 0
    SUCCESS = 1
    NO_FLASH = 2
    NO_MEMORY = 3
    CONNECTION_LOST = 4
    BAD_CHECKSUM = 5
    UNSUPPORTED_PACKAGE = 6
    INVALID_URI = 7
    UPDATE_FAILED = 8
    UNSUPPORTED_PROTOCOL = 9
    CANCELLED = 10
    DEFERRED = 11


STATE_WORDS: dict[int, str] = {
    State.IDLE: "Idle",
    State.DOWNLOADING: "Downloading",
    State.DOWNLOADED: "Downloaded",
    State.UPDATING: "Updating",
}

RESULT_WORDS: dict[int, str] = {
    Result.NONE: "none yet",
    Result.SUCCESS: "success",
    Result.NO_FLASH: "not enough flash memory for the image",
    Result.NO_MEMORY: "out of memory while downloading",
    Result.CONNECTION_LOST: "the connection was lost while downloading",
    Result.BAD_CHECKSUM: "the image is not whole: its integrity check failed",
    Result.UNSUPPORTED_PACKAGE: "it does not take images of this kind",
    Result.INVALID_URI: "it cannot use the link",
    Result.UPDATE_FAILED: "the image could not be installed",
    Result.UNSUPPORTED_PROTOCOL: "it does not speak the protocol of the link",
    Result.CANCELLED: "the update was cancelled",
    Result.DEFERRED: "the update was put off",
}


def state_words(state: int | None) -> str:
    """`Downloading (1)`."""
    return "unknown" if state is None else f"{STATE_WORDS.get(state, 'unknown')} ({state})"


def result_words(result: int | None) -> str:
    """`out of memory while downloading (3)`."""
    return "unknown" if result is None else f"{RESULT_WORDS.get(result, 'unknown')} ({result})"
