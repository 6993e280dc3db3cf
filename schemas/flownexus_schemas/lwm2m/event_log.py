"""Lines of a device's log in the data of object 20, Event Log. OMA LwM2M Event Log, 1.0 and 2.1."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from flownexus_schemas.lwm2m.timestamps import TimedRecord

EVENT_LOG = 20
LOG_DATA, LOG_DATA_INCREMENTAL = 4014, 4016

MAX_LINES = 1000
"""Taken of one report; the values themselves are kept whole beside them."""

MAX_LINE = 4000
"""Characters of a line."""

DEFAULT_LEVEL = "info"

_DATA = frozenset({LOG_DATA, LOG_DATA_INCREMENTAL})
_LEVELS = {"err": "error", "wrn": "warning", "inf": "info", "dbg": "debug"}
_LETTERS = {"E": "error", "W": "warning", "I": "info", "D": "debug", "V": "debug"}
_ZEPHYR = re.compile(r"<(err|wrn|inf|dbg)> ")
_ESP = re.compile(r"([EWIDV]) \([0-9]+\) ")
_NAMED = re.compile(r"\W{0,2}(error|warning|warn|info|debug)\b", re.IGNORECASE)
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class LoggedLine(NamedTuple):
    """A line, its level and its time in Unix seconds."""

    level: str
    text: str
    time: float


def logged_lines(records: Iterable[TimedRecord]) -> list[LoggedLine]:
    """The lines in log data that is text (UTF-8), in their order; none of what is not, such as OMA TLV or CBOR."""
    found: list[LoggedLine] = []
    for record in records:
        ids = record.path.ids
        if len(ids) > 2 and ids[0] == EVENT_LOG and ids[2] in _DATA:
            found.extend(LoggedLine(level_of(line), line[:MAX_LINE], record.time) for line in _lines(record.value))
    return found[:MAX_LINES]


def level_of(line: str) -> str:
    """`error`, `warning`, `info` or `debug`, as Zephyr (`<wrn> `), ESP-IDF (`W (12) `) or a first word says it."""
    if (zephyr := _ZEPHYR.search(line)) is not None:
        return _LEVELS[zephyr[1]]
    if (esp := _ESP.match(line)) is not None:
        return _LETTERS[esp[1]]
    if (named := _NAMED.match(line)) is not None:
        level = named[1].lower()
        return "warning" if level == "warn" else level
    return DEFAULT_LEVEL


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return
    if not isinstance(value, str) or _NOT_TEXT.search(value):
        return
    for line in _COLOUR.sub("", value).splitlines():
        if text := line.rstrip():
            yield text
