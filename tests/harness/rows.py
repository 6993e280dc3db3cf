"""Reading the database of a test."""

from __future__ import annotations

from typing import Any, LiteralString

import psycopg

from flownexus_schemas.subjects import Stream
from harness.waiting import until


def rows(database_url: str, query: LiteralString, *parameters: object) -> list[tuple[Any, ...]]:
    """All rows of a query, on a connection of its own."""
    with psycopg.connect(database_url) as connection:
        return connection.execute(query, parameters or None).fetchall()


async def projected(database_url: str, sequence: int, timeout_s: float = 20, stream: Stream = Stream.EVENTS) -> None:
    """Wait until ingest has written the stream up to `sequence`."""

    def is_written() -> bool:
        found = rows(database_url, "select sequence from stream_position where stream = %s", stream)
        return bool(found) and found[0][0] >= sequence

    await until(is_written, timeout_s, f"the rows of message {sequence}")
