"""The migrations build what the models say, on the real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import psycopg
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from sqlalchemy.exc import OperationalError

from flownexus_schemas.tables import Base
from flownexus_schemas.tables.upgrade import MIGRATIONS, sqlalchemy_url, upgrade
from harness.embedded import RunningPostgres


def columns(url: str) -> set[tuple[str, str, str]]:
    with psycopg.connect(url) as connection:
        return set(
            connection.execute(
                "select table_name, column_name, data_type from information_schema.columns "
                "where table_schema = 'public'"
            ).fetchall()
        )


def test_the_migrated_tables_are_those_of_the_models(database_url: str) -> None:
    engine = create_engine(sqlalchemy_url(database_url))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    engine.dispose()


def test_upgrading_twice_changes_nothing(database_url: str) -> None:
    before = columns(database_url)
    upgrade(database_url)
    upgrade(database_url, retention=timedelta(days=30))

    assert columns(database_url) == before


def test_several_upgrades_at_once_wait_for_each_other(postgres: RunningPostgres) -> None:
    url = postgres.create_database()
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(upgrade, url) for _ in range(4)]:
            done.result()

    with psycopg.connect(url) as connection:
        assert connection.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_downgrading_leaves_nothing_behind(postgres: RunningPostgres) -> None:
    url = postgres.create_database()
    upgrade(url)
    engine = create_engine(sqlalchemy_url(url))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        assert inspect(connection).get_table_names() == ["alembic_version"]
        assert inspect(connection).get_view_names() == []
    engine.dispose()


def test_versions_of_objects_stated_before_they_were_kept_over_time_count_from_the_start(
    postgres: RunningPostgres,
) -> None:
    url = postgres.create_database()
    engine = create_engine(sqlalchemy_url(url))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0008")
        connection.execute(
            text("insert into endpoint (name, object_versions) values ('dev', '{\"3\": \"1.1\"}'), ('silent', '{}')")
        )
    engine.dispose()
    upgrade(url)

    with psycopg.connect(url) as connection:
        found = connection.execute("select stream_sequence, object_versions from stated_versions").fetchall()
    assert found == [(0, {"3": "1.1"})]


def test_a_database_that_is_away_is_an_operational_error() -> None:
    with pytest.raises(OperationalError):
        upgrade("postgresql://nobody:nothing@127.0.0.1:1/none")


@pytest.mark.parametrize(
    ("registered", "queue_mode", "times", "status"),
    [
        (True, False, (None, "1 hour"), "online"),
        (True, True, ("1 minute", "1 hour"), "online"),
        (True, True, ("-1 second", "1 hour"), "asleep"),
        (True, False, (None, "-1 second"), "offline"),
        (True, True, ("1 minute", "-1 second"), "offline"),
        (False, False, (None, "1 hour"), "offline"),
    ],
)
def test_status_follows_registration_lifetime_and_awake_window(
    database_url: str, registered: bool, queue_mode: bool, times: tuple[str | None, str], status: str
) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into endpoint (name, registered, queue_mode, awake_until, expires_at) "
            "values ('dev', %s, %s, now() + %s::interval, now() + %s::interval)",
            [registered, queue_mode, *times],
        )
        assert connection.execute("select name, status from endpoint_status").fetchall() == [("dev", status)]


def test_a_reading_has_exactly_one_value(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into endpoint (name) values ('dev')")
        connection.execute("insert into resource_type (object_id, resource_id) values (3303, 5700)")
        with pytest.raises(psycopg.errors.CheckViolation):
            connection.execute(
                "insert into resource (time, stream_sequence, record_index, endpoint_id, resource_type_id, "
                "object_instance_id, received_at, data_type, value_float, value_text) "
                "select now(), 1, 0, endpoint.id, resource_type.id, 0, now(), 'float', 1, 'one' "
                "from endpoint, resource_type"
            )
