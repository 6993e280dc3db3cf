"""Stored values brought to the types of the object models as they are now.

What came is in the stream: each row is made anew from the record of its event, so that a model that was wrong, or that
is taken away again, loses nothing. A row whose event is not in the stream any more is brought on from what it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from psycopg import AsyncConnection

from flownexus_ingest import metrics
from flownexus_ingest.rows import TypeKey
from flownexus_ingest.types_over_time import TypesOverTime, types_over_time
from flownexus_ingest.value_types import ValueTypes, fitted, fitted_record
from flownexus_ingest.values import ValueColumns, value_of
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.events import Report, ValuesReported, parse_event
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.tables.devices import NO_INSTANCE

log = structlog.get_logger(__name__)

PAGE_ROWS = 1000
MESSAGES_AT_ONCE = 64

_VALUE = ", ".join(ValueColumns._fields)
_TYPES = "select id, object_id, resource_id, decoded_by from resource_type order by id"
_SERIES = """
select distinct endpoint.id, endpoint.name, latest_value.object_instance_id
from latest_value join endpoint on endpoint.id = latest_value.endpoint_id
where latest_value.resource_type_id = %s order by endpoint.id, latest_value.object_instance_id
"""
# A row that has the type already is as it would be made anew: no model took it to another.
_ROWS = f"""
select time, stream_sequence, record_index, object_instance_id, resource_instance_id, data_type, {_VALUE} from {{table}}
where endpoint_id = %s and resource_type_id = %s and object_instance_id = %s
    and data_type is distinct from %s
"""  # noqa: S608 - the names are ours
_PAGE = f"""{_ROWS.format(table="resource")}
    and (time, stream_sequence, record_index) > (%s::timestamptz, %s, %s)
order by time, stream_sequence, record_index limit {PAGE_ROWS}
"""
_LATEST = _ROWS.format(table="latest_value")
_CHANGE = f"""
update {{table}} set data_type = %s, {", ".join(f"{name} = %s" for name in ValueColumns._fields)}
where endpoint_id = %s and resource_type_id = %s and object_instance_id = %s and resource_instance_id = %s
    and time = %s and stream_sequence = %s and record_index = %s
"""  # noqa: S608
_CHANGE_READING = _CHANGE.format(table="resource")
_CHANGE_LATEST = _CHANGE.format(table="latest_value")
_DONE = "update resource_type set decoded_by = %s where id = %s"
_BEFORE_ALL: tuple[Any, ...] = ("-infinity", -1, -1)


class _Row(NamedTuple):
    time: datetime
    stream_sequence: int
    record_index: int
    object_instance_id: int
    resource_instance_id: int
    data_type: str
    value: ValueColumns


class _Series(NamedTuple):
    """The rows of one resource in one object instance of one endpoint."""

    endpoint_id: int
    type_id: int
    object_instance_id: int
    endpoint: str
    key: TypeKey

    @property
    def keys(self) -> tuple[int, int, int]:
        return self[:3]


_Change = tuple[Any, ...]
"""Parameters of an update: type and value, then which row."""


class DecodingAgain:
    """On a connection of its own, in autocommit mode; a page of rows is a transaction."""

    def __init__(self, connection: AsyncConnection, js: JetStreamContext, stream: str, types: ValueTypes) -> None:
        self._connection, self._js, self._stream, self._types = connection, js, stream, types
        self._at_once = asyncio.Semaphore(MESSAGES_AT_ONCE)

    async def run(self) -> int:
        """Go through the resources whose models changed since their values were stored; how many values changed.

        It can end anywhere and begin again: a resource is marked when all its values are done. Raises psycopg.Error,
        nats.errors.Error.
        """
        changed = 0
        cursor = await self._connection.execute(_TYPES)
        for type_id, object_id, resource_id, decoded_by in await cursor.fetchall():
            key = (object_id, resource_id)
            now = self._types.fingerprint(key)
            if now == (decoded_by or ""):
                continue
            values = await self._resource(type_id, key)
            await self._connection.execute(_DONE, [now, type_id])
            changed += values
            if values:
                log.info("values.decoded_again", object_id=object_id, resource_id=resource_id, values=values)
        return changed

    async def _resource(self, type_id: int, key: TypeKey) -> int:
        changed = 0
        cursor = await self._connection.execute(_SERIES, [type_id])
        for endpoint_id, endpoint, instance in await cursor.fetchall():
            series = _Series(endpoint_id, type_id, instance, endpoint, key)
            changed += await self._readings(series)
            await self._latest(series)
        return changed

    async def _readings(self, series: _Series) -> int:
        changed = 0
        types = await self._over_time(series)
        after: tuple[Any, ...] = _BEFORE_ALL
        while page := await self._rows(_PAGE, *series.keys, types.only, *after):
            types = await self._over_time(series)  # after the rows: what was stated before they came is among them
            changes = await self._changes(series, page, types)
            if changes:
                async with self._connection.transaction(), self._connection.cursor() as cursor:
                    await cursor.executemany(_CHANGE_READING, changes)
                metrics.DECODED_AGAIN.inc(len(changes))
            changed += len(changes)
            after = page[-1][:3]
        return changed

    async def _latest(self, series: _Series) -> None:
        """The latest values by themselves: their readings may be gone by now. Row by row, each its own transaction, so
        that the writer of new ones, which holds many, never waits in a circle with us; one that it replaced meanwhile
        is not touched.
        """
        rows = await self._rows(_LATEST, *series.keys, (await self._over_time(series)).only)
        for change in await self._changes(series, rows, await self._over_time(series)):
            await self._connection.execute(_CHANGE_LATEST, change)

    async def _rows(self, query: str, *parameters: Any) -> list[_Row]:
        cursor = await self._connection.execute(query, parameters)
        return [_Row._make([*row[:6], ValueColumns(*row[6:])]) for row in await cursor.fetchall()]

    async def _over_time(self, series: _Series) -> TypesOverTime:
        path = Path(series.key[0], series.object_instance_id, series.key[1])
        return await types_over_time(self._connection, self._types, series.endpoint_id, path)

    async def _changes(self, series: _Series, rows: Iterable[_Row], types: TypesOverTime) -> list[_Change]:
        """What is to be changed of these rows."""
        of_event: dict[int, list[_Row]] = {}
        for row in rows:
            of_event.setdefault(row.stream_sequence, []).append(row)
        found = await asyncio.gather(*(self._of_event(series, *item, types.at(item[0])) for item in of_event.items()))
        return [change for changes in found for change in changes]

    async def _of_event(
        self, series: _Series, sequence: int, rows: list[_Row], target: DataType | None
    ) -> list[_Change]:
        async with self._at_once:
            report = await self._report(sequence, series.endpoint)
            changes: list[_Change] = []
            for row in rows:
                kind, value = _fitted(_path(series.key, row), row, report, target)
                if (kind.value, value) != (row.data_type, row.value):
                    changes.append((kind.value, *value, *series.keys, row.resource_instance_id, *row[:3]))
            return changes

    async def _report(self, sequence: int, endpoint: str) -> Report | None:
        """The endpoint's report with this sequence, where the stream still has it."""
        try:
            message = await self._js.get_msg(self._stream, seq=sequence, direct=True)
            event = parse_event(message.data or b"")
        except (NotFoundError, InvalidMessage):
            return None
        return event.data if isinstance(event, ValuesReported) and event.subject == endpoint else None


def _fitted(path: Path, row: _Row, report: Report | None, target: DataType | None) -> tuple[DataType, ValueColumns]:
    if report is not None and row.record_index < len(report.records):
        came = report.records[row.record_index]
        if came.time == row.time and Path.parse(came.path) == path:
            return fitted_record(path, report, row.record_index, target)
    kind = DataType(row.data_type)
    return fitted(path, kind, value_of(kind, row.value), target)


def _path(key: TypeKey, row: _Row) -> Path:
    ids = (key[0], row.object_instance_id, key[1])
    return Path(*ids) if row.resource_instance_id == NO_INSTANCE else Path(*ids, row.resource_instance_id)
