"""Ingest as it runs: waits for NATS and the database, works, and begins anew from what is written when one goes."""

from __future__ import annotations

import asyncio
from functools import partial

import nats.errors
import psycopg
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_ingest import metrics
from flownexus_ingest.decoding_again import DecodingAgain
from flownexus_ingest.identifiers import name_resource_types
from flownexus_ingest.operation_pipeline import SUBJECTS, OperationPipeline
from flownexus_ingest.overdue import OverdueWatch
from flownexus_ingest.pipeline import Pipeline
from flownexus_ingest.settings import IngestSettings
from flownexus_ingest.stream_position import PositionMoved
from flownexus_ingest.value_types import ValueTypes
from flownexus_ingest.writer import Writer
from flownexus_runtime import bus
from flownexus_runtime.bucket import Bucket
from flownexus_runtime.live_models import LiveObjectModels
from flownexus_runtime.stream_reader import ReaderLost, StreamReader
from flownexus_schemas import subjects
from flownexus_schemas.subjects import Stream

log = structlog.get_logger(__name__)

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
CONNECT_TIMEOUT_S = 5
DEAD_PEER_MS = 15_000
"""After so long without an answer of the database's machine the connection counts as broken."""

MEASURE_INTERVAL_S = 5.0
MODELS_TIMEOUT_S = 5.0
CATCH_UP_TRIES = 10
GATHER_S = 0.2
"""Models that come within this time are named together."""

_WAITING = """
select count(*) from (
    select from undecoded_report where decoded_at is null and dismissed_at is null limit 10000
) as waiting
"""
_AWAY = (psycopg.Error, nats.errors.Error, OSError, TimeoutError, asyncio.TimeoutError, ReaderLost, PositionMoved)


class Ingest:
    """One ingest process. `run` works until cancelled."""

    def __init__(self, settings: IngestSettings, models: LiveObjectModels) -> None:
        self._settings, self._models, self._types = settings, models, ValueTypes(models)
        self._models_changed = asyncio.Event()
        models.on_change = self._models_changed.set
        self._bucket: Bucket | None = None
        self._client: Client | None = None
        self._pipeline: Pipeline | None = None
        self._working = False

    def is_connected(self) -> bool:
        """Whether NATS is there."""
        return self._client is not None and self._client.is_connected

    def is_working(self) -> bool:
        """Whether rows can be written: the database is there and events are being read."""
        return self._working

    async def run(self) -> None:
        """Work; whatever is away is waited for, with growing pauses."""
        delay = FIRST_DELAY_S
        beside = [asyncio.create_task(forever) for forever in (self._measure(), self._keep_named(), self._watch())]
        try:
            while True:
                try:
                    await self._work()
                except* _AWAY as group:
                    reason = _first(group)
                if self._working:
                    delay = FIRST_DELAY_S
                self._working = False
                metrics.RESTARTS.labels(reason=type(reason).__name__).inc()
                log.warning("ingest.waiting", reason=type(reason).__name__, error=str(reason)[:300], seconds=delay)
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_S)
        finally:
            for task in beside:
                task.cancel()
            if self._bucket is not None:
                await self._bucket.stop()
            if self._client is not None:
                await self._client.close()

    async def _work(self) -> None:
        if self._client is None:
            self._client = await bus.connect(self._settings, "flownexus-ingest")
        js = bus.jetstream(self._client)
        if self._bucket is None:
            self._bucket = Bucket(self._client, js, subjects.Bucket.OBJECT_MODELS, self._models.apply)
            self._bucket.start()
        async with asyncio.timeout(MODELS_TIMEOUT_S):
            await self._bucket.loaded()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._project_events(self._client, js))
            tasks.create_task(self._project_operations(self._client, js))

    async def _project_events(self, client: Client, js: JetStreamContext) -> None:
        info = await js.stream_info(Stream.EVENTS)
        async with await self._connect() as connection:
            writer = Writer(connection, Stream.EVENTS, self._models, self._types)
            named = await name_resource_types(connection, self._models)
            assert info.created is not None
            position, another = await writer.prepare(info.created, info.state.last_seq)
            if another:
                log.warning("stream.another", stream=Stream.EVENTS, created=info.created.isoformat())
            async with StreamReader(
                client, js, Stream.EVENTS, after=position, size=self._settings.ingest_batch
            ) as reader:
                self._working = True
                log.info("ingest.working", position=position, behind=info.state.last_seq - position, named=named)
                self._pipeline = Pipeline(
                    js, Stream.EVENTS, reader=reader, writer=writer, types=self._types, position=position
                )
                self._models_changed.set()
                await self._pipeline.run()

    async def _project_operations(self, client: Client, js: JetStreamContext) -> None:
        info = await js.stream_info(Stream.OPERATIONS)
        assert info.created is not None
        async with await self._connect() as connection:
            pipeline = OperationPipeline(js, connection, Stream.OPERATIONS)
            position, another = await pipeline.prepare(info.created, info.state.last_seq)
            if another:
                log.warning("stream.another", stream=Stream.OPERATIONS, created=info.created.isoformat())
            async with StreamReader(
                client,
                js,
                Stream.OPERATIONS,
                after=position,
                size=self._settings.ingest_batch,
                subjects=SUBJECTS,
            ) as reader:
                log.info("ingest.projecting_operations", position=position)
                await pipeline.run(reader)

    async def _connect(self) -> psycopg.AsyncConnection:
        return await psycopg.AsyncConnection.connect(
            self._settings.database_url.get_secret_value(),
            autocommit=True,
            connect_timeout=CONNECT_TIMEOUT_S,
            tcp_user_timeout=DEAD_PEER_MS,
        )

    async def _keep_named(self) -> None:
        """Name what is stored and decode it again, at the start and when a model comes or goes."""
        while True:
            await self._models_changed.wait()
            await asyncio.sleep(GATHER_S)
            self._models_changed.clear()
            if self._pipeline is None or self._client is None:
                continue  # the start of work calls for it again
            try:
                # What was projected with the models before is in the tables before they are gone through.
                await self._pipeline.projected_is_written()
                async with await self._connect() as connection:
                    named = await name_resource_types(connection, self._models)
                    js = bus.jetstream(self._client)
                    decoded = await DecodingAgain(connection, js, Stream.EVENTS, self._types).run()
            except _AWAY as error:
                log.warning("models.not_in_force_yet", reason=type(error).__name__, error=str(error)[:300])
                self._models_changed.set()
                await asyncio.sleep(LONGEST_DELAY_S)
            else:
                log.info("models.in_force", named=named, decoded_again=decoded)

    async def _watch(self) -> None:
        """Tell of devices that are overdue."""
        watch = OverdueWatch(self._settings.overdue_grace_s)
        while True:
            await asyncio.sleep(MEASURE_INTERVAL_S)
            if self._client is None or not self._client.is_connected or not self._working:
                continue
            try:
                js = bus.jetstream(self._client)
                await watch.look(self._client, js, self._connect, partial(self._caught_up, js))
            except _AWAY as error:
                log.warning("overdue.not_looked", reason=type(error).__name__, error=str(error)[:300])

    async def _caught_up(self, js: JetStreamContext) -> bool:
        """Whether all that is in the stream now is in the tables, in a moment at the latest."""
        last = (await js.stream_info(Stream.EVENTS)).state.last_seq
        for _ in range(CATCH_UP_TRIES):
            if self._pipeline is not None and self._pipeline.position >= last:
                return True
            await asyncio.sleep(GATHER_S)
        return False

    async def _measure(self) -> None:
        """Keep the lag true while nothing is written too, and the counts of what waits in the quarantine."""
        while True:
            await asyncio.sleep(MEASURE_INTERVAL_S)
            if self._client is None or not self._client.is_connected or self._pipeline is None:
                continue
            js = bus.jetstream(self._client)
            try:
                info = await js.stream_info(Stream.EVENTS)
                letters = await js.stream_info(Stream.DEAD_LETTERS)
            except _AWAY:
                continue
            metrics.LAG_MESSAGES.set(max(0, info.state.last_seq - self._pipeline.position))
            metrics.DEAD_LETTERS_KEPT.set(letters.state.messages)
            try:
                async with await self._connect() as connection:
                    waiting = await (await connection.execute(_WAITING)).fetchone()
            except _AWAY:
                continue
            metrics.UNDECODED_WAITING.set(waiting[0] if waiting else 0)


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
