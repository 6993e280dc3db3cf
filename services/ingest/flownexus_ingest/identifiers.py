"""Names to the ids of their rows, which are made where there is none yet."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from psycopg import AsyncConnection, AsyncCursor

from flownexus_ingest.resource_types import ResourceTypeRow, resource_type_row
from flownexus_ingest.rows import TypeKey
from flownexus_schemas.lwm2m.object_model import ObjectModels

_FIND_ENDPOINTS = "select name, id from endpoint where name = any(%s)"
_MAKE_ENDPOINTS = """
insert into endpoint (name, first_seen_at) select * from unnest(%s::text[], %s::timestamptz[])
on conflict (name) do nothing returning name, id
"""
_FIND_TYPES = "select object_id, resource_id, id from resource_type"
_MAKE_TYPE = """
insert into resource_type (object_id, resource_id, object_name, name, data_type, units, multiple, decoded_by)
values (%s, %s, %s, %s, %s, %s, %s, %s)
on conflict (object_id, resource_id) do update set object_name = excluded.object_name, name = excluded.name,
    data_type = excluded.data_type, units = excluded.units, multiple = excluded.multiple
returning id
"""
_NAME_TYPE = """
update resource_type set object_name = %s, name = %s, data_type = %s, units = %s, multiple = %s
where object_id = %s and resource_id = %s
"""
_ALL_TYPES = "select object_id, resource_id, object_name, name, data_type, units, multiple from resource_type"


class Identifiers:
    """What is remembered holds for one connection; `forget` after a transaction that was rolled back."""

    def __init__(self, models: ObjectModels) -> None:
        self.models = models
        self.endpoints: dict[str, int] = {}
        self.types: dict[TypeKey, int] = {}

    def forget(self) -> None:
        """Look everything up anew."""
        self.endpoints.clear()
        self.types.clear()

    async def learn_endpoints(self, cursor: AsyncCursor, first_seen: Mapping[str, datetime]) -> None:
        """Have the ids of these endpoints in `endpoints`."""
        unknown = [name for name in first_seen if name not in self.endpoints]
        if not unknown:
            return
        await cursor.execute(_FIND_ENDPOINTS, [unknown])
        self.endpoints.update(await cursor.fetchall())
        new = [name for name in unknown if name not in self.endpoints]
        if new:
            await cursor.execute(_MAKE_ENDPOINTS, [new, [first_seen[name] for name in new]])
            self.endpoints.update(await cursor.fetchall())

    async def learn_types(self, cursor: AsyncCursor, decoded_by: Mapping[TypeKey, str]) -> None:
        """Have the ids of these resource types in `types`; new ones are marked with the models of their values."""
        if all(key in self.types for key in decoded_by):
            return
        await cursor.execute(_FIND_TYPES)
        self.types.update(
            {(object_id, resource_id): row_id for object_id, resource_id, row_id in await cursor.fetchall()}
        )
        for key in decoded_by:
            if key not in self.types:
                await cursor.execute(_MAKE_TYPE, [*resource_type_row(key, self.models), decoded_by[key]])
                row = await cursor.fetchone()
                assert row is not None
                self.types[key] = row[0]


async def name_resource_types(connection: AsyncConnection, models: ObjectModels) -> int:
    """Bring the stored resource types to what the models say now; how many changed. Commits."""
    async with connection.transaction(), connection.cursor() as cursor:
        await cursor.execute(_ALL_TYPES)
        stored = [ResourceTypeRow(*row) for row in await cursor.fetchall()]
        named = [resource_type_row((row.object_id, row.resource_id), models) for row in stored]
        changed = [new for old, new in zip(stored, named, strict=True) if new != old]
        for row in changed:
            await cursor.execute(_NAME_TYPE, [*row[2:], *row[:2]])
    return len(changed)
