"""The types that a resource of one endpoint had, as the endpoint stated one version of its object and then another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from psycopg import AsyncConnection

from flownexus_ingest.value_types import ValueTypes
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import Path

_STATED = """
select stream_sequence, object_versions from stated_versions where endpoint_id = %s order by stream_sequence
"""


class TypesOverTime(NamedTuple):
    """`types[0]` counts before the first stream sequence of `since`, and each of the others from its own on; None is
    where no model states one.
    """

    since: Sequence[int]
    types: Sequence[DataType | None]

    def at(self, sequence: int) -> DataType | None:
        """The type of a value of this message."""
        return self.types[bisect_right(self.since, sequence)]

    @property
    def only(self) -> DataType | None:
        """The type that it has at all times; None where there are several, or none."""
        return self.types[0] if len(set(self.types)) == 1 else None


async def types_over_time(
    connection: AsyncConnection, models: ValueTypes, endpoint_id: int, path: Path
) -> TypesOverTime:
    """Of the resource at `path`. Raises psycopg.Error."""
    cursor = await connection.execute(_STATED, [endpoint_id])
    stated: list[tuple[int, Mapping[str, str]]] = await cursor.fetchall()
    return TypesOverTime(
        [sequence for sequence, _ in stated],
        [models.of(path, {}), *(models.of(path, {int(key): v for key, v in said.items()}) for _, said in stated)],
    )
