"""Pre-shared keys of simulated devices, from a file that credentials can be imported from too."""

from __future__ import annotations

import csv
import pathlib
from typing import NamedTuple


class InvalidKeys(ValueError):
    """The file cannot be used; the text says where and what to do."""


class Psk(NamedTuple):
    """What a device shows, and the key that goes with it."""

    identity: str
    key: bytes


def read_keys(path: pathlib.Path) -> dict[str, Psk]:
    """By endpoint. CSV with a header: `endpoint`, `key` in hex, and `identity`, which is the endpoint where it is
    empty; other columns are left alone. Raises InvalidKeys.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = csv.DictReader(file)
            missing = {"endpoint", "key"} - set(rows.fieldnames or ())
            if missing:
                raise InvalidKeys(
                    f"{path}: the first line names the columns; {' and '.join(sorted(missing))} is missing"
                )
            return {row["endpoint"]: _psk(path, rows.line_num, row) for row in rows if row["key"]}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidKeys(f"{path} is not read: {error}") from error


def _psk(path: pathlib.Path, line: int, row: dict[str, str | None]) -> Psk:
    try:
        key = bytes.fromhex(row["key"] or "")
    except ValueError as error:
        raise InvalidKeys(f"{path}, line {line}: a key is written in hexadecimal digits") from error
    return Psk(row.get("identity") or row["endpoint"] or "", key)
