"""Stored values brought to the types of the object models as they are now.

What came is in the stream: each row is made anew from the record of its event, so that a model that was wrong, or that
is taken away again, loses nothing. A row whose event is not in the stream any more is brought on from what it holds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

import structlog
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from psycopg import AsyncConnection

from flownexus_ingest import metrics
from flownexus_ingest.rows import TypeKey
from flownexus_ingest.value_types import ValueTypes
from flownexus_ingest.values import ValueColumns
from flownexus_schemas.errors import InvalidMessage
from flownexus_schemas.events import ReportedRecord, ValuesReported, parse_event
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.tables.devices import NO_INSTANCE

log = structlog.get_logger(__name__)

PAGE_ROWS = 1000
MESSAGES_AT_ONCE = 64

_VALUE = ", ".join(ValueColumns._fields)
_TYPES = "select id, object_id, resource_id, decoded_by from resource_type order by id"
_SERIES = """
select distinct endpoint.id, endpoint.name from latest_value join endpoint on endpoint.id = latest_value.endpoint_id
where latest_value.resource_type_id = %s order by endpoint.id
"""
_PAGE = f"""
select time, stream_sequence, record_index, object_instance_id, resource_instance_id, data_type, {_VALUE} from resource
where endpoint_id = %s and resource_type_id = %s and (time, stream_sequence, record_index) > (%s::timestamptz, %s, %s)
order by time, stream_sequence, record_index limit {PAGE_ROWS}
"""  # noqa: S608 - the names are ours
_CHANGE = f"""
update resource set data_type = %s, {", ".join(f"{name} = %s" for name in ValueColumns._fields)}
where endpoint_id = %s and resource_type_id = %s and time = %s and stream_sequence = %s and record_index = %s
"""  # noqa: S608
_CHANGE_LATEST = f"""
update latest_value set data_type = resource.data_type, {", ".join(f"{n} = resource.{n}" for n in ValueColumns._fields)}
from resource
where latest_value.endpoint_id = %s and latest_value.resource_type_id = %s
    and resource.endpoint_id = latest_value.endpoint_id and resource.resource_type_id = latest_value.resource_type_id
    and resource.time = latest_value.time and resource.stream_sequence = latest_value.stream_sequence
    and resource.record_index = latest_value.record_index
"""  # noqa: S608
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


class DecodingAgain:
    """On a connection of its own, in autocommit mode; a page of rows is a transaction."""

    def __init__(self, connection: AsyncConnection, js: JetStreamContext, stream: str, types: ValueTypes) -> None:
        self._connection, self._js, self._stream, self._types = connection, js, stream, types

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
            if now == decoded_by:
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
        for endpoint_id, endpoint in await cursor.fetchall():
            of_endpoint = 0
            after: tuple[Any, ...] = _BEFORE_ALL
            while page := await self._page(endpoint_id, type_id, after):
                of_endpoint += await self._decode(page, endpoint_id, endpoint, type_id, key)
                after = page[-1][:3]
            if of_endpoint:
                await self._connection.execute(_CHANGE_LATEST, [endpoint_id, type_id])
            changed += of_endpoint
        return changed

    async def _page(self, endpoint_id: int, type_id: int, after: tuple[Any, ...]) -> list[_Row]:
        cursor = await self._connection.execute(_PAGE, [endpoint_id, type_id, *after])
        return [_Row._make([*row[:6], ValueColumns(*row[6:])]) for row in await cursor.fetchall()]

    async def _decode(self, page: list[_Row], endpoint_id: int, endpoint: str, type_id: int, key: TypeKey) -> int:
        records = await self._records({row.stream_sequence for row in page}, endpoint)
        changes = []
        for row in page:
            kind, value = self._fitted(row, endpoint, key, records.get(row.stream_sequence, ()))
            if (kind.value, value) != (row.data_type, row.value):
                changes.append((kind.value, *value, endpoint_id, type_id, *row[:3]))
        if changes:
            async with self._connection.transaction(), self._connection.cursor() as cursor:
                await cursor.executemany(_CHANGE, changes)
            metrics.DECODED_AGAIN.inc(len(changes))
        return len(changes)

    def _fitted(
        self, row: _Row, endpoint: str, key: TypeKey, records: tuple[ReportedRecord, ...]
    ) -> tuple[DataType, ValueColumns]:
        path = _path(key, row)
        came = records[row.record_index] if row.record_index < len(records) else None
        if came is not None and came.time == row.time and Path.parse(came.path) == path:
            return self._types.fitted(endpoint, path, came)
        kind, target = DataType(row.data_type), self._types.of(endpoint, path)
        if target is None or target is kind:
            return kind, row.value
        value = next(part for part in row.value if part is not None)
        return self._types.fitted_columns(path, kind, value, row.value, target)

    async def _records(self, sequences: Iterable[int], endpoint: str) -> Mapping[int, tuple[ReportedRecord, ...]]:
        """The records of the endpoint's reports with these sequences, where the stream still has them."""
        limit = asyncio.Semaphore(MESSAGES_AT_ONCE)

        async def one(sequence: int) -> tuple[ReportedRecord, ...]:
            async with limit:
                try:
                    message = await self._js.get_msg(self._stream, seq=sequence, direct=True)
                except NotFoundError:
                    return ()
            try:
                event = parse_event(message.data or b"")
            except (InvalidMessage, ValueError):
                return ()
            return event.data.records if isinstance(event, ValuesReported) and event.subject == endpoint else ()

        wanted = list(sequences)
        return dict(zip(wanted, await asyncio.gather(*map(one, wanted)), strict=True))


def _path(key: TypeKey, row: _Row) -> Path:
    ids = (key[0], row.object_instance_id, key[1])
    return Path(*ids) if row.resource_instance_id == NO_INSTANCE else Path(*ids, row.resource_instance_id)
