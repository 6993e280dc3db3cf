"""`resource_hourly` answers the same queries with and without TimescaleDB."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg


def test_numbers_are_summed_up_by_hour(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into endpoint (name) values ('dev')")
        connection.execute("insert into resource_type (object_id, resource_id) values (3303, 5700)")
        for sequence, (minute, value) in enumerate([(0, 10.0), (59, 20.0), (60, 5.0)]):
            connection.execute(
                "insert into resource (time, stream_sequence, record_index, endpoint_id, resource_type_id, "
                "object_instance_id, received_at, data_type, value_float) "
                "select timestamptz '2026-03-01 12:00Z' + interval '1 minute' * %s, %s, 0, endpoint.id, "
                "resource_type.id, 0, now(), 'float', %s from endpoint, resource_type",
                [minute, sequence, value],
            )
        found = connection.execute(
            "select bucket, readings, average, minimum, maximum from resource_hourly order by bucket"
        ).fetchall()
    assert found == [
        (datetime(2026, 3, 1, 12, tzinfo=UTC), 2, 15.0, 10.0, 20.0),
        (datetime(2026, 3, 1, 13, tzinfo=UTC), 1, 5.0, 5.0, 5.0),
    ]
