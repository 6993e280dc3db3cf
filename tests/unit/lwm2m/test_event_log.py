"""Lines of a device's log in what object 20 holds."""

from __future__ import annotations

import pytest

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.event_log import MAX_LINE, MAX_LINES, level_of, logged_lines
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Value
from flownexus_schemas.lwm2m.timestamps import TimedRecord


def record(value: Value, path: str = "20/0/4014", time: float = 5.0) -> TimedRecord:
    kind = DataType.OPAQUE if isinstance(value, bytes) else DataType.STRING
    return TimedRecord(Path.parse(path), kind, value, time, anchored=False)


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("[00:00:01.250,000] <wrn> modem: cell reselection", "warning"),
        ("[00:00:01.250,000] <err> modem: no SIM", "error"),
        ("<dbg> lwm2m: update", "debug"),
        ("\x1b[1;31m<err> net: down\x1b[0m", "error"),
        ("W (1204) wifi: weak", "warning"),
        ("V (7) heap: 120", "debug"),
        ("ERROR: flash", "error"),
        ("[warn] battery", "warning"),
        ("Debug the thing", "debug"),
        ("informed of it", "info"),
        ("W is a letter", "info"),
        ("started", "info"),
    ],
)
def test_a_line_says_its_level(line: str, level: str) -> None:
    assert level_of(line) == level
    assert logged_lines([record(line.encode())])[0].level == level


def test_text_is_taken_apart_and_keeps_the_time_of_its_value() -> None:
    data = b"<inf> one\r\n\n\x1b[32mtwo\x1b[0m  \n\tthree: \xc3\xa4\n"
    lines = logged_lines([record(data, time=7.5), record("four", "20/1/4016/0", time=9.0)])
    assert [(line.text, line.time) for line in lines] == [
        ("<inf> one", 7.5),
        ("two", 7.5),
        ("\tthree: ä", 7.5),
        ("four", 9.0),
    ]


def test_what_is_no_text_or_no_log_data_has_no_lines() -> None:
    binary = [b"\xc8\x00\x05hello", b"\xff\xfe", b"\x82\x01\x02\x00", b""]
    assert logged_lines([record(data) for data in binary]) == []
    assert logged_lines([record(b"text", "20/0/4010"), record(b"text", "3/0/4014"), record("text", "19/0/0")]) == []


def test_lines_are_bounded() -> None:
    lines = logged_lines([record(b"x" * 10_000 + b"\n" + b"y\n" * 5000)])
    assert (len(lines), len(lines[0].text)) == (MAX_LINES, MAX_LINE)
