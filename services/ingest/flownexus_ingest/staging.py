"""Rows into tables: COPY into a temporary table, then one statement that merges it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection, AsyncCursor
from psycopg.sql import SQL, Composed, Identifier


@dataclass(frozen=True, slots=True)
class Stage:
    """A temporary table of these `columns`, with the types of the same columns of `table`, and `extra` ones, and the
    statements that merge it, in order.
    """

    table: str
    columns: tuple[str, ...]
    merges: tuple[str, ...]
    extra: tuple[tuple[str, str], ...] = ()
    suffix: str = ""

    @property
    def name(self) -> str:
        return f"stage_{self.table}{self.suffix}"

    async def create(self, connection: AsyncConnection) -> None:
        """Make the temporary table, which is emptied at each commit. Once a connection."""
        own = SQL(", ").join(map(Identifier, self.columns))
        added = SQL("").join(SQL(", null::{} as {}").format(SQL(kind), Identifier(name)) for name, kind in self.extra)
        await connection.execute(
            SQL("create temporary table {} on commit delete rows as select {}{} from {} limit 0").format(
                Identifier(self.name), own, added, Identifier(self.table)
            )
        )

    async def add(self, cursor: AsyncCursor, rows: Iterable[Sequence[Any]]) -> None:
        """Copy and merge. Each row has a value for each of `columns`, then of `extra`."""
        async with cursor.copy(self._copy()) as copy:
            for row in rows:
                await copy.write_row(row)
        for merge in self.merges:
            await cursor.execute(merge.encode())

    def _copy(self) -> Composed:
        names = [*self.columns, *(name for name, _ in self.extra)]
        return SQL("copy {} ({}) from stdin").format(Identifier(self.name), SQL(", ").join(map(Identifier, names)))


def inserted_once(table: str, columns: tuple[str, ...], suffix: str = "") -> Stage:
    """Rows whose key is there already are left as they are."""
    names = ", ".join(columns)
    source = f"stage_{table}{suffix}"
    merge = f"insert into {table} ({names}) select {names} from {source} on conflict do nothing"  # noqa: S608 - ours
    return Stage(table, columns, (merge,), suffix=suffix)


def kept_newest(table: str, key: tuple[str, ...], order: tuple[str, ...], others: tuple[str, ...]) -> Stage:
    """One row a key: the one that is last by `order`."""
    return Stage(table, (*key, *order, *others), (keep_newest(table, f"stage_{table}", key, order, others),))


def keep_newest(table: str, source: str, key: tuple[str, ...], order: tuple[str, ...], others: tuple[str, ...]) -> str:
    """The statement that brings the rows of `source`, one a key, into `table` where they are later by `order`."""
    names = ", ".join((*key, *order, *others))
    changes = ", ".join(f"{name} = excluded.{name}" for name in (*order, *others))
    new, old = (", ".join(f"{row}.{name}" for name in order) for row in ("excluded", table))
    insert = f"insert into {table} ({names}) select {names} from {source}"  # noqa: S608 - the names are ours
    return f"{insert} on conflict ({', '.join(key)}) do update set {changes} where ({new}) > ({old})"
