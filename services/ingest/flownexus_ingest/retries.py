"""Retries of undecoded reports: the values of each are stored once, however often they were published.

Nats-Msg-Id holds off a repeat for two minutes only; which reports of the stream hold the values is a column of the row.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from psycopg import AsyncCursor

from flownexus_ingest.rows import Retried, Rows

_KNOWN = """
select decoded_in from undecoded_report where received_at = %s and stream_sequence = %s and endpoint_id = %s
"""
_MARK = """
update undecoded_report set decoded_in = %s, decoded_at = coalesce(decoded_at, %s)
where received_at = %s and stream_sequence = %s and endpoint_id = %s
"""
_DISMISS = """
update undecoded_report set dismissed_at = coalesce(dismissed_at, %s)
where received_at = %s and stream_sequence = %s and endpoint_id = %s
"""

ReportKey = tuple[datetime, int, int]
"""Of a row of `undecoded_report`: received_at, stream_sequence, endpoint_id."""

MISSING = 0
"""In `decoded_in`: this part is not stored yet."""


class Retries:
    """Those of one batch. `take` before the batch is written, `mark` after, in the same transaction."""

    def __init__(self, endpoints: Mapping[str, int]) -> None:
        self._endpoints = endpoints
        self._decoded_in: dict[ReportKey, list[int]] = {}
        self._decoded_at: dict[ReportKey, datetime] = {}
        self._dismissed_at: dict[ReportKey, datetime] = {}

    async def take(self, cursor: AsyncCursor, rows: Rows) -> Rows:
        """The rows without the values that another report of the stream holds already."""
        repeated = set()
        for retried in rows.retried:
            key = self._key(retried)
            if retried.dismissed:
                self._dismissed_at.setdefault(key, retried.decoded_at)
                continue
            if key not in self._decoded_in:
                await cursor.execute(_KNOWN, key)
                known = await cursor.fetchone()
                self._decoded_in[key] = known[0] if known else []
            if not self._store(retried, key):
                repeated.add(retried.by_sequence)
        return rows.without(repeated) if repeated else rows

    async def mark(self, cursor: AsyncCursor) -> None:
        """Write down what `take` let pass."""
        changes: list[tuple[Any, ...]] = [
            (orjson.dumps(decoded_in).decode(), self._decoded_at.get(key), *key)
            for key, decoded_in in self._decoded_in.items()
        ]
        await cursor.executemany(_MARK, changes)
        await cursor.executemany(_DISMISS, [(moment, *key) for key, moment in self._dismissed_at.items()])

    def _store(self, retried: Retried, key: ReportKey) -> bool:
        decoded_in = self._decoded_in[key]
        if retried.by_sequence in decoded_in:
            return True
        if decoded_in and MISSING not in decoded_in:
            return False
        decoded_in.extend([MISSING] * (retried.parts - len(decoded_in)))
        if decoded_in[retried.part] != MISSING:
            return False
        decoded_in[retried.part] = retried.by_sequence
        if MISSING not in decoded_in:
            self._decoded_at.setdefault(key, retried.decoded_at)
        return True

    def _key(self, retried: Retried) -> ReportKey:
        return retried.received_at, retried.stream_sequence, self._endpoints[retried.endpoint]
