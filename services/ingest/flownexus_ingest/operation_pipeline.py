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
from flownexus_ingest.desired_projection import DESIRED_VALUES
from flownexus_ingest.faults import is_of_the_message
from flownexus_ingest.firmware_projection import FIRMWARE
from flownexus_ingest.operation_projection import OPERATIONS
from flownexus_ingest.projected import Projected
from flownexus_ingest.rollout_projection import ROLLOUTS
from flownexus_ingest.stream_position import StreamPosition
from flownexus_runtime.stream_message import Message
from flownexus_runtime.stream_reader import StreamReader

log = structlog.get_logger(__name__)

PROJECTIONS = (OPERATIONS, ROLLOUTS, FIRMWARE, DESIRED_VALUES)
SUBJECTS = tuple(projection.subjects for projection in PROJECTIONS)
"""What is read of the stream."""


class OperationPipeline:
    """Works on one connection, in autocommit mode, which it owns. `prepare` it once, then `run`."""

    def __init__(self, js: JetStreamContext, connection: AsyncConnection, stream: str) -> None:
        self._js, self._connection, self._stream = js, connection, stream
        self._position = StreamPosition(stream, tuple(one for projection in PROJECTIONS for one in projection.forget))
        self.position = 0

    async def prepare(self, stream_created_at: datetime, last_sequence: int) -> tuple[int, bool]:
        """As StreamPosition.begin."""
        for projection in PROJECTIONS:
            for stage in projection.stages:
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
        projected = [projection.of(messages) for projection in PROJECTIONS]
        for message, reason in (rejected for one in projected for rejected in one.rejected):
            await self._set_aside(message, reason)
        try:
            await self._write(projected, messages[-1].sequence)
        except psycopg.Error as error:
            if not is_of_the_message(error):
                raise
            if len(messages) > 1:
                for message in messages:
                    await self._commit([message])
                return
            await self._set_aside(messages[0], f"{type(error).__name__}: {error}")
            await self._write((), messages[0].sequence)
        metrics.OPERATION_MESSAGES.inc(len(messages))

    async def _write(self, projected: Sequence[Projected], upto: int) -> None:
        async with self._connection.transaction(), self._connection.cursor() as cursor:
            await self._position.lock(cursor, self.position)
            for stage, rows in (one for kind in projected for one in kind.rows):
                if rows:
                    await stage.add(cursor, rows)
            await self._position.move(cursor, upto)
        self.position = upto

    async def _set_aside(self, message: Message, reason: str) -> None:
        await set_aside(self._js, self._stream, message, reason, datetime.now(UTC))
