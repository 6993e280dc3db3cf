"""TimescaleDB where the server has it: the container does, the embedded server does not."""

from __future__ import annotations

from datetime import timedelta

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from flownexus_schemas.tables import Base
from flownexus_schemas.tables.upgrade import sqlalchemy_url, upgrade
from harness.embedded import RunningPostgres
from harness.rows import rows
from harness.waiting import blocking_until

READING = (
    "insert into resource (time, stream_sequence, record_index, endpoint_id, resource_type_id, object_instance_id, "
    "received_at, data_type, value_float) "
    "select timestamptz '2026-01-01 12:30Z', 1, 0, endpoint.id, resource_type.id, 0, now(), 'float', 21.5 "
    "from endpoint, resource_type on conflict do nothing"
)
POLICIES = "select proc_name from timescaledb_information.jobs where hypertable_name is not null order by 1"


@pytest.fixture
def timescale_url(postgres: RunningPostgres) -> str:
    """A migrated database with TimescaleDB."""
    offered = rows(
        postgres.url,
        "select from pg_available_extensions where name = 'timescaledb' "
        "and current_setting('shared_preload_libraries') ~ 'timescaledb'",
    )
    if not offered:
        pytest.skip("this PostgreSQL has no TimescaleDB")
    url = postgres.create_database()
    upgrade(url)
    return url


def test_the_tables_are_hypertables_and_otherwise_those_of_the_models(timescale_url: str) -> None:
    found = rows(timescale_url, "select hypertable_name::text from timescaledb_information.hypertables order by 1")
    assert found == [("event",), ("event_resource",), ("resource",)]

    engine = create_engine(sqlalchemy_url(timescale_url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_retention_is_there_only_as_long_as_it_is_asked_for(timescale_url: str) -> None:
    assert ("policy_retention",) not in rows(timescale_url, POLICIES)
    upgrade(timescale_url, retention=timedelta(days=90))
    assert rows(timescale_url, POLICIES).count(("policy_retention",)) == 3
    upgrade(timescale_url)
    assert ("policy_retention",) not in rows(timescale_url, POLICIES)


def test_a_reading_delivered_again_after_compression_adds_nothing(timescale_url: str) -> None:
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        connection.execute("insert into endpoint (name) values ('dev')")
        connection.execute("insert into resource_type (object_id, resource_id) values (3303, 5700)")
        connection.execute(READING)
        # Its own policy may have compressed it a moment ago.
        compressed = connection.execute("select compress_chunk(c, true) from show_chunks('resource') c").fetchall()
        assert len(compressed) == 1
        connection.execute(READING)
        assert connection.execute("select count(*), max(value_number) from resource").fetchone() == (1, 21.5)
        connection.execute("call refresh_continuous_aggregate('resource_hourly', null, null)")
        assert connection.execute("select readings, average from resource_hourly").fetchall() == [(1, 21.5)]


def test_each_policy_succeeds_when_the_scheduler_runs_it(timescale_url: str) -> None:
    """`run_job` may work where the background worker's own run fails: what counts is `job_stats`."""
    upgrade(timescale_url, retention=timedelta(days=90))
    with psycopg.connect(timescale_url, autocommit=True) as connection:
        connection.execute("insert into endpoint (name) values ('dev')")
        connection.execute("insert into resource_type (object_id, resource_id) values (3303, 5700)")
        connection.execute(READING.replace("timestamptz '2026-01-01 12:30Z'", "now() - interval '30 days'"))
        jobs = connection.execute(
            "select job_id from timescaledb_information.jobs where hypertable_name is not null"
        ).fetchall()
        assert len(jobs) == 6, "two of compression, one of the aggregate, three of retention"
        for (job,) in jobs:
            connection.execute(
                "select alter_job(%s, schedule_interval => interval '1 second', next_start => now())", [job]
            )

        def all_ran() -> bool:
            statuses = connection.execute(
                "select last_run_status from timescaledb_information.job_stats where job_id = any(%s)",
                [[job for (job,) in jobs]],
            ).fetchall()
            return len(statuses) == len(jobs) and all(status is not None for (status,) in statuses)

        blocking_until(all_ran, timeout_s=60, what="a run of each policy")
        failed = connection.execute(
            "select j.proc_name, j.hypertable_name, e.err_message from timescaledb_information.job_stats s "
            "join timescaledb_information.jobs j using (job_id) "
            "left join timescaledb_information.job_errors e using (job_id) "
            "where s.last_run_status <> 'Success' or s.total_failures > 0"
        ).fetchall()
        assert not failed
        compressed = "select is_compressed from timescaledb_information.chunks where hypertable_name = 'resource'"
        assert connection.execute(compressed).fetchall() == [(True,)]
        assert connection.execute("select readings, average from resource_hourly").fetchall() == [(1, 21.5)]
