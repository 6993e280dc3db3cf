"""One batch, one transaction: its rows and the position in the stream that they bring the tables to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import orjson
from psycopg import AsyncConnection, AsyncCursor

from flownexus_ingest import stages
from flownexus_ingest.endpoint_changes import EndpointChange
from flownexus_ingest.identifiers import Identifiers
from flownexus_ingest.retries import Retries
from flownexus_ingest.rows import Reading, Rows
from flownexus_ingest.value_types import ValueTypes
from flownexus_schemas.lwm2m.object_model import ObjectModels

_LOCK_POSITION = "select sequence, stream_created_at from stream_position where stream = %s for update"
_START = """
insert into stream_position (stream, stream_created_at, sequence, updated_at) values (%s, %s, 0, now())
on conflict (stream) do update set stream_created_at = excluded.stream_created_at, sequence = 0, updated_at = now()
"""
_VERSIONS = "select name, object_versions from endpoint where object_versions <> '{}'"
_MOVE = "update stream_position set sequence = %s, updated_at = now() where stream = %s"
_FORGET_SEQUENCES = (
    "update endpoint set last_sequence = 0 where last_sequence <> 0",
    "update observation_outcome set stream_sequence = 0 where stream_sequence <> 0",
)


class PositionMoved(Exception):
    """Another process has written since: what we hold is not what comes next."""


class Writer:
    """Writes on one connection, in autocommit mode, which it owns."""

    def __init__(self, connection: AsyncConnection, stream: str, models: ObjectModels, value_types: ValueTypes) -> None:
        self._connection = connection
        self._stream = stream
        self._value_types = value_types
        self._identifiers = Identifiers(models)

    async def prepare(self, stream_created_at: datetime, last_sequence: int) -> tuple[int, bool]:
        """The sequence up to which the tables are written, and whether the stream is another than the one known.

        Another stream was made anew or is an older copy: it is read from its start, and its sequences count for
        themselves. Rows of the one before stay.
        """
        for stage in stages.ALL:
            await stage.create(self._connection)
        cursor_of_versions = await self._connection.execute(_VERSIONS)
        for name, versions in await cursor_of_versions.fetchall():
            self._value_types.state(name, versions)
        async with self._connection.transaction(), self._connection.cursor() as cursor:
            await cursor.execute(_LOCK_POSITION, [self._stream])
            known = await cursor.fetchone()
            if known is not None and known[1] == stream_created_at and known[0] <= last_sequence:
                return known[0], False
            await cursor.execute(_START, [self._stream, stream_created_at])
            if known is not None:
                for statement in _FORGET_SEQUENCES:
                    await cursor.execute(statement)
            return 0, known is not None

    async def write(self, rows: Rows, after: int, upto: int) -> None:
        """Write the rows of the messages `after` < sequence <= `upto`. All or nothing.

        Raises PositionMoved where the tables are not at `after`, and psycopg.Error.
        """
        try:
            async with self._connection.transaction(), self._connection.cursor() as cursor:
                await cursor.execute(_LOCK_POSITION, [self._stream])
                known = await cursor.fetchone()
                if known is None or known[0] != after:
                    raise PositionMoved
                await self._insert(cursor, rows)
                await cursor.execute(_MOVE, [upto, self._stream])
        except BaseException:
            self._identifiers.forget()
            raise

    async def _insert(self, cursor: AsyncCursor, rows: Rows) -> None:
        ids = self._identifiers
        await ids.learn_endpoints(cursor, {name: change.first_seen_at for name, change in rows.endpoints.items()})
        await ids.learn_types(cursor, rows.decoded_by)
        endpoints = ids.endpoints
        retries = Retries(endpoints)
        rows = await retries.take(cursor, rows)
        if rows.endpoints:
            await stages.ENDPOINT.add(cursor, _endpoint_rows(rows.endpoints, endpoints))
        if rows.readings:
            await stages.RESOURCE.add(cursor, self._reading_rows(rows.readings))
            await stages.LATEST_VALUE.add(cursor, self._latest_rows(rows.latest.values()))
        if rows.happenings:
            await stages.EVENT.add(
                cursor,
                (
                    (h.time, h.stream_sequence, endpoints[h.endpoint], h.event_type, h.received_at)
                    for h in rows.happenings
                ),
            )
            await stages.EVENT_RESOURCE.add(
                cursor, ((h.time, h.stream_sequence, *reading[:3]) for h in rows.happenings for reading in h.readings)
            )
        if rows.outcomes:
            await stages.OBSERVATION_OUTCOME.add(
                cursor,
                (
                    (
                        endpoints[o.endpoint],
                        o.paths,
                        o.composite,
                        o.stream_sequence,
                        o.state,
                        o.code,
                        o.diagnostic,
                        o.time,
                        orjson.dumps(o.attributes).decode(),
                        o.attributes_code,
                        o.attributes_diagnostic,
                    )
                    for o in rows.outcomes.values()
                ),
            )
        if rows.logs:
            await stages.LOG_LINE.add(
                cursor,
                ((log.time, log.stream_sequence, endpoints[log.endpoint], log.level, log.text) for log in rows.logs),
            )
        if rows.undecoded:
            await stages.UNDECODED_REPORT.add(
                cursor, ((row.stream_sequence, endpoints[row.endpoint], *row[2:]) for row in rows.undecoded)
            )
        if rows.retried:
            await retries.mark(cursor)

    def _reading_rows(self, readings: Iterable[Reading]) -> Iterator[tuple[Any, ...]]:
        endpoints, types = self._identifiers.endpoints, self._identifiers.types
        for r in readings:
            series = (endpoints[r.endpoint], types[r.resource], r.object_instance_id, r.resource_instance_id)
            yield (*r[:3], *series, r.received_at, r.data_type, *r.value, r.marks)

    def _latest_rows(self, readings: Iterable[Reading]) -> Iterator[tuple[Any, ...]]:
        endpoints, types = self._identifiers.endpoints, self._identifiers.types
        for r in readings:
            series = (endpoints[r.endpoint], types[r.resource], r.object_instance_id, r.resource_instance_id)
            yield (*series, *r[:3], r.received_at, r.data_type, *r.value, r.marks)


def _endpoint_rows(changes: dict[str, EndpointChange], endpoints: dict[str, int]) -> Iterator[tuple[Any, ...]]:
    for name, change in changes.items():
        yield (
            *_registration_columns(change),
            change.registered,
            change.registered_at,
            change.last_seen_at,
            change.last_sequence,
            endpoints[name],
            change.registration is not None,
            change.ended,
        )


def _registration_columns(change: EndpointChange) -> tuple[Any, ...]:
    """In the order of `stages.REGISTRATION`."""
    registration = change.registration
    if registration is None:
        return (None,) * len(stages.REGISTRATION)
    return (
        registration.registration_id,
        registration.lwm2m_version,
        registration.binding,
        registration.queue_mode,
        registration.awake_window_s,
        registration.lifetime_s,
        registration.address.host,
        registration.address.port,
        registration.identity,
        registration.gateway,
        registration.root_path,
        orjson.dumps(registration.object_links).decode(),
        orjson.dumps(registration.object_versions).decode(),
        orjson.dumps(registration.content_formats).decode(),
        orjson.dumps(registration.warnings).decode(),
        change.expires_at,
    )
