"""What TimescaleDB adds where the server has it: hypertables, compression, an aggregate that keeps itself up to date.

Not a migration, as a server can gain the extension after the tables were made: each statement looks first.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

HYPERTABLES = {"resource": "time", "event": "time", "event_resource": "event_time"}
"""Table to the column it is cut into chunks by."""

COMPRESSION = {
    "resource": ("endpoint_id, resource_type_id", "time desc, stream_sequence, record_index"),
    "event": ("endpoint_id", "time desc, stream_sequence"),
}
"""Table to what its compressed chunks are grouped and sorted by."""

CHUNK = timedelta(days=1)
COMPRESS_AFTER = timedelta(days=7)

RESOURCE_HOURLY = """
create materialized view resource_hourly
with (timescaledb.continuous, timescaledb.materialized_only = false) as
select time_bucket('1 hour', time) as bucket, endpoint_id, resource_type_id, object_instance_id,
    resource_instance_id, count(*) as readings, avg(value_number) as average, min(value_number) as minimum,
    max(value_number) as maximum
from resource
where value_number is not null
group by 1, 2, 3, 4, 5
with no data
"""


def apply(connection: Connection, retention: timedelta | None = None) -> bool:
    """Set TimescaleDB up in the transaction of `connection`; whether it is there. Idempotent.

    `retention` drops readings and events older than that; None keeps all. Compression, the aggregate and retention
    are of TimescaleDB's community licence: under the Apache one there are only hypertables.
    """
    if not _extension(connection):
        return False
    for table, column in HYPERTABLES.items():
        connection.execute(
            text(
                "select create_hypertable(:table, cast(:column as name), chunk_time_interval => :chunk, "
                "if_not_exists => true, migrate_data => true, create_default_indexes => false)"
            ),
            {"table": table, "column": column, "chunk": CHUNK},
        )
    if connection.scalar(text("select current_setting('timescaledb.license', true)")) == "timescale":
        _compress(connection)
        _aggregate(connection)
        _retain(connection, retention)
    return True


def drop_hourly(connection: Connection) -> None:
    """Drop `resource_hourly`: the aggregate where TimescaleDB is there, else the plain view."""
    kind = "materialized view" if _has_extension(connection) and _has_hourly(connection) else "view"
    connection.execute(text(f"drop {kind} resource_hourly"))


def _has_extension(connection: Connection) -> bool:
    return connection.scalar(text("select true from pg_extension where extname = 'timescaledb'")) is not None


def _has_hourly(connection: Connection) -> bool:
    found = connection.scalar(
        text("select true from timescaledb_information.continuous_aggregates where view_name = 'resource_hourly'")
    )
    return found is not None


def _extension(connection: Connection) -> bool:
    """Whether the extension is there or could be made: it must be preloaded, and we need the right to make it."""
    if _has_extension(connection):
        return True
    offered = connection.scalar(
        text(
            # A CASE, because a plain role may not even ask which libraries are preloaded.
            "select case when exists (select from pg_available_extensions where name = 'timescaledb') "
            "and pg_has_role(current_user, 'pg_read_all_settings', 'usage') "
            "then current_setting('shared_preload_libraries') ~ 'timescaledb' else false end"
        )
    )
    if not offered:
        return False
    try:
        with connection.begin_nested():
            connection.execute(text("create extension timescaledb"))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == "42501":
            return False
        raise
    return True


def _compress(connection: Connection) -> None:
    for table, (segments, order) in COMPRESSION.items():
        enabled = connection.scalar(
            text("select compression_enabled from timescaledb_information.hypertables where hypertable_name = :table"),
            {"table": table},
        )
        if not enabled:
            connection.execute(
                text(
                    f"alter table {table} set (timescaledb.compress, "
                    f"timescaledb.compress_segmentby = '{segments}', timescaledb.compress_orderby = '{order}')"
                )
            )
        connection.execute(
            text("select add_compression_policy(:table, :after, if_not_exists => true)"),
            {"table": table, "after": COMPRESS_AFTER},
        )


def _aggregate(connection: Connection) -> None:
    if not _has_hourly(connection):
        connection.execute(text("drop view if exists resource_hourly"))
        connection.execute(text(RESOURCE_HOURLY))
    # No start: readings that come days late, after an outage, are counted too.
    connection.execute(
        text(
            "select add_continuous_aggregate_policy('resource_hourly', start_offset => null, "
            "end_offset => interval '1 hour', schedule_interval => interval '30 minutes', if_not_exists => true)"
        )
    )


def _retain(connection: Connection, retention: timedelta | None) -> None:
    for table in HYPERTABLES:
        connection.execute(text("select remove_retention_policy(:table, if_exists => true)"), {"table": table})
        if retention is not None:
            connection.execute(text("select add_retention_policy(:table, :keep)"), {"table": table, "keep": retention})
