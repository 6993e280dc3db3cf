"""CSV that no spreadsheet calculates. RFC 4180; ASVS 5.0, 1.2.10."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for the beginning of a formula."""


def harmless(text: str | None) -> str:
    """Text from strangers as a cell."""
    if text is None:
        return ""
    return f"'{text}" if text.startswith(FORMULA) else text


def csv_lines(rows: Iterable[Iterable[str]]) -> bytes:
    """Rows as they are written."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("utf-8", "replace")
