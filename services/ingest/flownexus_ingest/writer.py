"""One batch, one transaction: its rows and the position in the stream that they bring the tables to."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import orjson
from psycopg import AsyncConnection, AsyncCursor

from flownexus_ingest import stages
from flownexus_ingest.endpoint_changes import EndpointChange
from flownexus_ingest.identifiers import Identifiers
from flownexus_ingest.known_wake_ups import KnownWakeUps
from flownexus_ingest.retries import Retries
from flownexus_ingest.rows import Rows
from flownexus_ingest.stream_position import StreamPosition
from flownexus_ingest.value_types import ValueTypes
from flownexus_schemas.events import Registration
from flownexus_schemas.lwm2m.object_model import ObjectModels

_VERSIONS = """
select distinct on (endpoint.id) endpoint.name, stated_versions.object_versions
from stated_versions join endpoint on endpoint.id = stated_versions.endpoint_id
order by endpoint.id, stated_versions.stream_sequence desc
"""
_FORGET_SEQUENCES = (
    "update endpoint set last_sequence = 0 where last_sequence <> 0",
    "update observation_outcome set stream_sequence = 0 where stream_sequence <> 0",
    "delete from stated_versions as old using stated_versions as later "
    "where old.endpoint_id = later.endpoint_id and old.stream_sequence < later.stream_sequence",
    "update stated_versions set stream_sequence = 0",
)


class Writer:
    """Writes on one connection, in autocommit mode, which it owns."""

    def __init__(self, connection: AsyncConnection, stream: str, models: ObjectModels, value_types: ValueTypes) -> None:
        self._connection = connection
        self._position = StreamPosition(stream, _FORGET_SEQUENCES)
        self._value_types = value_types
        self._identifiers, self._wake_ups = Identifiers(models), KnownWakeUps()

    async def prepare(self, stream_created_at: datetime, last_sequence: int) -> tuple[int, bool]:
        """As StreamPosition.begin."""
        for stage in stages.ALL:
            await stage.create(self._connection)
        stated = await self._connection.execute(_VERSIONS)
        self._value_types.begin(await stated.fetchall())
        return await self._position.begin(self._connection, stream_created_at, last_sequence)

    async def write(self, rows: Rows, after: int, upto: int) -> None:
        """Write the rows of the messages `after` < sequence <= `upto`. All or nothing.

        Raises PositionMoved where the tables are not at `after`, and psycopg.Error.
        """
        try:
            async with self._connection.transaction(), self._connection.cursor() as cursor:
                await self._position.lock(cursor, after)
                await self._insert(cursor, rows)
                await self._position.move(cursor, upto)
        except BaseException:
            self._identifiers.forget()
            self._wake_ups.forget()
            raise

    async def _insert(self, cursor: AsyncCursor, rows: Rows) -> None:
        ids = self._identifiers
        await ids.learn_endpoints(cursor, {name: change.first_seen_at for name, change in rows.endpoints.items()})
        await ids.learn_types(cursor, rows.decoded_by)
        endpoints = ids.endpoints
        retries = Retries(endpoints)
        rows = await retries.take(cursor, rows)
        # Before the rows of endpoints change: what is not remembered is read from them.
        await self._wake_ups.learn(cursor, [name for name, change in rows.endpoints.items() if change.signs])
        woken = [
            (endpoints[name], *row)
            for name, change in rows.endpoints.items()
            if (row := self._wake_ups.take(name, change.signs)) is not None
        ]
        registered, seen = _endpoint_rows(rows.endpoints, endpoints)
        if registered:
            await stages.ENDPOINT_REGISTERED.add(cursor, registered)
        if seen:
            await stages.ENDPOINT_SEEN.add(cursor, seen)
        if woken:
            await stages.WAKE_UPS.add(cursor, woken)
        overdue = [(endpoints[name], c.overdue_since) for name, c in rows.endpoints.items() if c.overdue_since]
        if overdue:
            await stages.OVERDUE.add(cursor, overdue)
        if rows.versions:
            await stages.STATED_VERSIONS.add(
                cursor,
                (
                    (endpoints[v.endpoint], v.stream_sequence, orjson.dumps(v.object_versions).decode())
                    for v in rows.versions
                ),
            )
        if rows.readings:
            await stages.RESOURCE.add(cursor, self._reading_rows(rows))
        if rows.happenings:
            await stages.EVENT.add(
                cursor,
                (
                    (h.time, h.stream_sequence, endpoints[h.endpoint], h.event_type, h.received_at)
                    for h in rows.happenings
                ),
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
        if rows.steps:
            await stages.BOOTSTRAP_STEP.add(cursor, rows.steps)
        if rows.retried:
            await retries.mark(cursor)

    def _reading_rows(self, rows: Rows) -> Iterator[tuple[Any, ...]]:
        endpoints, types = self._identifiers.endpoints, self._identifiers.types
        latest = set(map(id, rows.latest.values()))
        texts = _TimeTexts()
        events = {happening.stream_sequence: texts[happening.time] for happening in rows.happenings}
        for r in rows.readings:
            series = (endpoints[r.endpoint], types[r.resource], r.object_instance_id, r.resource_instance_id)
            times = (texts[r.time], *r[1:3], *series, texts[r.received_at])
            yield (*times, r.data_type, *r.value, r.marks, id(r) in latest, events.get(r.stream_sequence))


class _TimeTexts(dict[datetime, str]):
    """Times as PostgreSQL reads them: values of one report share theirs, and psycopg would write each anew."""

    def __missing__(self, time: datetime) -> str:
        text = self[time] = time.isoformat()
        return text


def _endpoint_rows(
    changes: dict[str, EndpointChange], endpoints: dict[str, int]
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """Those that registered, and the others."""
    registered: list[tuple[Any, ...]] = []
    seen: list[tuple[Any, ...]] = []
    for name, change in changes.items():
        if change.registration is None:
            seen.append((change.last_seen_at, change.spoke_at, change.last_sequence, endpoints[name], change.ended))
        else:
            registered.append(
                (
                    *_registration_columns(change.registration, change.expires_at),
                    change.registered,
                    change.registered_at,
                    change.last_seen_at,
                    change.spoke_at,
                    change.last_sequence,
                    endpoints[name],
                )
            )
    return registered, seen


def _registration_columns(registration: Registration, expires_at: datetime | None) -> tuple[Any, ...]:
    """In the order of `stages.REGISTRATION`."""
    return (
        registration.registration_id,
        registration.lwm2m_version,
        registration.binding,
        registration.queue_mode,
        registration.awake_window_s,
        registration.answers_asleep_within_s,
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
        expires_at,
    )
