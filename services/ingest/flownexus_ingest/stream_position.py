"""How far a stream is in the tables, moved in the transaction that writes the rows: neither is there alone."""

from __future__ import annotations

from datetime import datetime

from psycopg import AsyncConnection, AsyncCursor

_LOCK = "select sequence, stream_created_at from stream_position where stream = %s for update"
_START = """
insert into stream_position (stream, stream_created_at, sequence, updated_at) values (%s, %s, 0, now())
on conflict (stream) do update set stream_created_at = excluded.stream_created_at, sequence = 0, updated_at = now()
"""
_MOVE = "update stream_position set sequence = %s, updated_at = now() where stream = %s"


class PositionMoved(Exception):
    """Another process has written since: what we hold is not what comes next."""


class StreamPosition:
    """Of one stream. `forget` are the statements that make the sequences of the stream before count for nothing."""

    def __init__(self, stream: str, forget: tuple[str, ...] = ()) -> None:
        self._stream, self._forget = stream, forget

    async def begin(
        self, connection: AsyncConnection, stream_created_at: datetime, last_sequence: int
    ) -> tuple[int, bool]:
        """The sequence up to which the tables are written, and whether the stream is another than the one known.

        Another stream was made anew or is an older copy: it is read from its start, and its sequences count for
        themselves. Rows of the one before stay.
        """
        async with connection.transaction(), connection.cursor() as cursor:
            await cursor.execute(_LOCK, [self._stream])
            known = await cursor.fetchone()
            if known is not None and known[1] == stream_created_at and known[0] <= last_sequence:
                return known[0], False
            await cursor.execute(_START, [self._stream, stream_created_at])
            if known is not None:
                for statement in self._forget:
                    await cursor.execute(statement.encode())
            return 0, known is not None

    async def lock(self, cursor: AsyncCursor, after: int) -> None:
        """Raises PositionMoved where the tables are not at `after`."""
        await cursor.execute(_LOCK, [self._stream])
        known = await cursor.fetchone()
        if known is None or known[0] != after:
            raise PositionMoved

    async def move(self, cursor: AsyncCursor, upto: int) -> None:
        await cursor.execute(_MOVE, [upto, self._stream])
