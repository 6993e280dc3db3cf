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
from flownexus_ingest.projection import project
from flownexus_ingest.rows import Rows
from flownexus_ingest.value_types import ValueTypes
from flownexus_ingest.writer import Writer
from flownexus_runtime.stream_message import Message
from flownexus_runtime.stream_reader import ReaderLost, StreamReader

log = structlog.get_logger(__name__)

GATHER_S = 0.05
"""While messages keep coming, they are written once in this time: a transaction costs as much as tens of messages."""

_BACKLOG = 500
"""A batch of so many is not waited after: more are there."""


class Pipeline:
    """Brings the tables from `position`, which moves with each commit, to the end of the stream, and keeps them so."""

    def __init__(
        self,
        js: JetStreamContext,
        stream: str,
        *,
        reader: StreamReader,
        writer: Writer,
        types: ValueTypes,
        position: int,
    ) -> None:
        self._js, self._stream, self._types = js, stream, types
        self._reader, self._writer = reader, writer
        self.position = self._projected = position
        self._moved = asyncio.Event()
        self._is_over = False
        self._batches: asyncio.Queue[tuple[list[Message], Rows]] = asyncio.Queue(maxsize=1)

    async def run(self) -> None:
        """Until cancelled. Raises an ExceptionGroup of ReaderLost, PositionMoved, psycopg.Error, nats.errors.Error."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._read())
                tasks.create_task(self._write())
        finally:
            self._is_over = True
            self._moved.set()

    async def projected_is_written(self) -> None:
        """Wait until all that was projected when this was called is in the tables, or this pipeline is over."""
        upto = self._projected
        while self.position < upto and not self._is_over:
            self._moved.clear()
            await self._moved.wait()

    async def _read(self) -> None:
        while True:
            try:
                messages = await self._reader.batch()
            except ReaderLost:
                await self._batches.join()  # what was read is written first, so that each start gets on
                raise
            rows = project(messages, self._types)
            self._projected = messages[-1].sequence
            await self._batches.put((messages, rows))
            if len(messages) < _BACKLOG:
                await asyncio.sleep(GATHER_S)

    async def _write(self) -> None:
        while True:
            messages, rows = await self._batches.get()
            for message, reason in rows.rejected:
                await self._set_aside(message, reason)
            await self._commit(messages, rows, self._types)
            metrics.LAG_MESSAGES.set(messages[-1].pending)
            self._batches.task_done()

    async def _commit(self, messages: Sequence[Message], rows: Rows, types: ValueTypes) -> None:
        """Commit these messages; where rows are refused, halve until the one at fault is alone, and set it aside."""
        started = perf_counter()
        try:
            await self._writer.write(rows, self.position, messages[-1].sequence)
        except psycopg.Error as error:
            if not is_of_the_message(error):
                raise
            await self._halve(messages, types.rewound(rows.versions_before), error)
            return
        self.position = messages[-1].sequence
        self._moved.set()
        metrics.COMMIT_SECONDS.observe(perf_counter() - started)
        metrics.POSITION.set(self.position)
        metrics.MESSAGES.inc(len(messages))
        metrics.BATCH_MESSAGES.observe(len(messages))
        metrics.ROWS.inc(rows.count)
        metrics.UNDECODED.inc(len(rows.undecoded))
        log.debug("batch.committed", messages=len(messages), rows=rows.count, upto=self.position)

    async def _halve(self, messages: Sequence[Message], types: ValueTypes, error: psycopg.Error) -> None:
        if len(messages) == 1:
            await self._set_aside(messages[0], f"{type(error).__name__}: {error}")
            await self._commit(messages, Rows(), types)
            return
        middle = len(messages) // 2
        for half in (messages[:middle], messages[middle:]):
            await self._commit(half, project(half, types), types)

    async def _set_aside(self, message: Message, reason: str) -> None:
        await set_aside(self._js, self._stream, message, reason, datetime.now(UTC))
