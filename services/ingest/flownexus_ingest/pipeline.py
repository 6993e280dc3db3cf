"""Read, project, write: the next batch is read while the one before is committed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from time import perf_counter

import psycopg
import structlog
from nats.js import JetStreamContext

from flownexus_ingest import metrics
from flownexus_ingest.dead_letters import set_aside
from flownexus_ingest.faults import is_of_the_message
from flownexus_ingest.message import Message
from flownexus_ingest.projection import project
from flownexus_ingest.reader import EventReader
from flownexus_ingest.rows import Rejected, Rows
from flownexus_ingest.writer import Writer

log = structlog.get_logger(__name__)


class Pipeline:
    """Brings the tables from `position` on to the end of the stream and keeps them there."""

    def __init__(self, js: JetStreamContext, stream: str, reader: EventReader, writer: Writer, position: int) -> None:
        self._js, self._stream = js, stream
        self._reader, self._writer = reader, writer
        self._position = position
        self._batches: asyncio.Queue[tuple[list[Message], Rows]] = asyncio.Queue(maxsize=1)

    async def run(self) -> None:
        """Until cancelled. Raises an ExceptionGroup of ReaderLost, PositionMoved, psycopg.Error, nats.errors.Error."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._write())

    async def _read(self) -> None:
        while True:
            messages = await self._reader.batch()
            await self._batches.put((messages, project(messages)))

    async def _write(self) -> None:
        while True:
            messages, rows = await self._batches.get()
            await self._store(messages, rows)
            metrics.LAG_MESSAGES.set(messages[-1].pending)

    async def _store(self, messages: Sequence[Message], rows: Rows) -> None:
        """Commit these messages; where rows are refused, halve until the one at fault is alone, and set it aside."""
        for rejected in rows.rejected:
            await self._set_aside(rejected)
        started = perf_counter()
        try:
            await self._writer.write(rows, self._position, messages[-1].sequence)
        except psycopg.Error as error:
            if not is_of_the_message(error):
                raise
            accepted = _without(messages, rows.rejected)
            if len(accepted) == 1:
                await self._store(accepted, _refused(accepted[0], error))
                return
            middle = len(accepted) // 2
            for half in (accepted[:middle], accepted[middle:]):
                await self._store(half, project(half))
            return
        self._position = messages[-1].sequence
        metrics.COMMIT_SECONDS.observe(perf_counter() - started)
        metrics.POSITION.set(self._position)
        metrics.MESSAGES.inc(len(messages))
        metrics.BATCH_MESSAGES.observe(len(messages))
        metrics.ROWS.inc(rows.count)
        log.debug("batch.committed", messages=len(messages), rows=rows.count, upto=self._position)

    async def _set_aside(self, rejected: Rejected) -> None:
        await set_aside(self._js, self._stream, rejected.message, rejected.reason, datetime.now(UTC))


def _refused(message: Message, error: psycopg.Error) -> Rows:
    """No rows but the rejection of `message`."""
    return Rows(rejected=[Rejected(message, f"{type(error).__name__}: {error}")])


def _without(messages: Sequence[Message], rejected: Sequence[Rejected]) -> list[Message]:
    sequences = {each.message.sequence for each in rejected}
    return [message for message in messages if message.sequence not in sequences]
