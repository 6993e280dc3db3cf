"""The audit as a file: CSV (RFC 4180) or one JSON document a line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from enum import StrEnum
from typing import Any

import orjson
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncEngine

from flownexus_api.audit_query import AuditQuery
from flownexus_api.csv_lines import csv_lines, harmless

COLUMNS = ("id", "time", "actor", "api_token", "action", "target", "source_address", "details")
PAGE = 1000


class ExportFormat(StrEnum):
    """How entries are written."""

    CSV = "csv"
    NDJSON = "ndjson"


MEDIA_TYPES = {ExportFormat.CSV: "text/csv; charset=utf-8", ExportFormat.NDJSON: "application/x-ndjson"}


async def exported(engine: AsyncEngine, asked: AuditQuery, format_: ExportFormat) -> AsyncIterator[bytes]:
    """The entries asked for, the newest first, a thousand at a time: no transaction is open while the reader reads."""
    if format_ is ExportFormat.CSV:
        yield csv_lines([COLUMNS])
    before: int | None = None
    while True:
        async with engine.begin() as connection:
            rows = (await connection.execute(asked.entries(PAGE, before))).all()
        if rows:
            before = rows[-1].id
            yield csv_lines(map(_cells, rows)) if format_ is ExportFormat.CSV else _lines(rows)
        if len(rows) < PAGE:
            return


def _lines(rows: Iterable[Row[Any]]) -> bytes:
    return b"".join(
        orjson.dumps(
            {name: getattr(row, name) for name in COLUMNS}, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_UTC_Z
        )
        for row in rows
    )


def _cells(row: Row[Any]) -> Iterable[str]:
    details = "" if row.details is None else orjson.dumps(row.details, option=orjson.OPT_SORT_KEYS).decode()
    yield str(row.id)
    yield row.time.isoformat()
    yield from map(harmless, (row.actor, row.api_token, row.action, row.target, row.source_address))
    yield details
