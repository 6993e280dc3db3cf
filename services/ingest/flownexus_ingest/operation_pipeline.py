"""LWM2M_OPERATIONS into its tables: read, project, write, with the position in the transaction of the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import psycopg
import structlog
from nats.js import JetStreamContext
from psycopg import AsyncConnection

from flownexus_ingest import metrics
from flownexus_ingest.dead_letters import set_aside
from flownexus_ingest.faults import is_of_the_message
from flownexus_ingest.operation_projection import OperationChangeRow, OperationRow, OperationRows, project
from flownexus_ingest.staging import inserted_once, kept_newest
from flownexus_ingest.stream_position import StreamPosition
from flownexus_runtime.stream_message import Message
from flownexus_runtime.stream_reader import StreamReader

log = structlog.get_logger(__name__)

_KEY, _ORDER = ("id",), ("stream_sequence",)
_OTHERS = tuple(name for name in OperationRow._fields if name not in (*_KEY, *_ORDER))
_OPERATION = kept_newest("endpoint_operation", _KEY, _ORDER, _OTHERS)
_CHANGE = inserted_once("endpoint_operation_change", OperationChangeRow._fields)

_FORGET_SEQUENCES = ("update endpoint_operation set stream_sequence = 0 where stream_sequence <> 0",)


class OperationPipeline:
    """Works on one connection, in autocommit mode, which it owns. `prepare` it once, then `run`."""

    def __init__(self, js: JetStreamContext, connection: AsyncConnection, stream: str) -> None:
        self._js, self._connection, self._stream = js, connection, stream
        self._position = StreamPosition(stream, _FORGET_SEQUENCES)
        self.position = 0

    async def prepare(self, stream_created_at: datetime, last_sequence: int) -> tuple[int, bool]:
        """As StreamPosition.begin."""
        for stage in (_OPERATION, _CHANGE):
            await stage.create(self._connection)
        self.position, another = await self._position.begin(self._connection, stream_created_at, last_sequence)
        return self.position, another

    async def run(self, reader: StreamReader) -> None:
        """Until cancelled. Raises ReaderLost, PositionMoved, psycopg.Error, nats.errors.Error."""
        while True:
            messages = await reader.batch()
            await self._commit(messages)
            metrics.OPERATIONS_LAG_MESSAGES.set(messages[-1].pending)

    async def _commit(self, messages: Sequence[Message]) -> None:
        """Commit these messages; where rows are refused, one by one, and the one at fault is set aside."""
        rows = project(messages)
        for message, reason in rows.rejected:
            await self._set_aside(message, reason)
        try:
            await self._write(rows, messages[-1].sequence)
        except psycopg.Error as error:
            if not is_of_the_message(error):
                raise
            if len(messages) > 1:
                for message in messages:
                    await self._commit([message])
                return
            await self._set_aside(messages[0], f"{type(error).__name__}: {error}")
            await self._write(OperationRows(), messages[0].sequence)
        metrics.OPERATION_MESSAGES.inc(len(messages))

    async def _write(self, rows: OperationRows, upto: int) -> None:
        async with self._connection.transaction(), self._connection.cursor() as cursor:
            await self._position.lock(cursor, self.position)
            if rows.operations:
                names = (*_KEY, *_ORDER, *_OTHERS)
                await _OPERATION.add(
                    cursor, ([getattr(row, name) for name in names] for row in rows.operations.values())
                )
                await _CHANGE.add(cursor, rows.changes)
            await self._position.move(cursor, upto)
        self.position = upto

    async def _set_aside(self, message: Message, reason: str) -> None:
        await set_aside(self._js, self._stream, message, reason, datetime.now(UTC))
