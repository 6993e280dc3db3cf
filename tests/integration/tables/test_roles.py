"""The roles of the services: each writes its own tables, and Grafana reads nothing of people."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import psycopg
import pytest
from psycopg import sql
from psycopg.errors import InsufficientPrivilege

from flownexus_schemas.database_role import DatabaseRole
from flownexus_schemas.tables import Base, roles
from flownexus_schemas.tables.upgrade import upgrade
from harness.service_logins import as_role

TABLES = sorted(table.name for table in Base.metadata.sorted_tables)
VIEWS = ("endpoint_status", "resource_hourly")

READ: dict[DatabaseRole, Callable[[str], bool]] = {
    DatabaseRole.INGEST: lambda table: table not in roles.WRITTEN_BY_API,
    DatabaseRole.API: lambda _: True,
    DatabaseRole.GRAFANA: lambda table: table not in roles.WRITTEN_BY_API or table in roles.SHOWN_OF_API,
}
CHANGED: dict[DatabaseRole, Callable[[str], bool]] = {
    DatabaseRole.INGEST: lambda table: table not in roles.WRITTEN_BY_API,
    DatabaseRole.API: lambda table: table in roles.WRITTEN_BY_API and table != "audit_entry",
    DatabaseRole.GRAFANA: lambda _: False,
}


def may(connection: psycopg.Connection, statement: str, table: str) -> bool:
    try:
        with connection.transaction():
            connection.execute(sql.SQL(statement).format(sql.Identifier(table)))
    except InsufficientPrivilege:
        return False
    return True


@pytest.mark.parametrize("role", DatabaseRole)
def test_a_role_reads_and_writes_its_own_tables_and_no_other(database_url: str, role: DatabaseRole) -> None:
    with psycopg.connect(as_role(database_url, role)) as connection:
        read = {table for table in TABLES if may(connection, "select from {} limit 1", table)}
        changed = {table for table in TABLES if may(connection, "delete from {} where false", table)}
    assert read == {table for table in TABLES if READ[role](table)}
    assert changed == {table for table in TABLES if CHANGED[role](table)}


@pytest.mark.parametrize("role", [DatabaseRole.API, DatabaseRole.GRAFANA])
def test_who_shows_data_reads_the_views_too(database_url: str, role: DatabaseRole) -> None:
    with psycopg.connect(as_role(database_url, role)) as connection:
        assert all(may(connection, "select from {} limit 1", view) for view in VIEWS)


@pytest.mark.parametrize("role", DatabaseRole)
def test_no_role_makes_tables_or_drops_them(database_url: str, role: DatabaseRole) -> None:
    with psycopg.connect(as_role(database_url, role)) as connection:
        assert not may(connection, "create table {} (id int)", "mine")
        assert not may(connection, "drop table {}", "log_line")
        assert not may(connection, "truncate {}", "log_line")


def test_the_api_adds_to_the_audit_and_neither_changes_nor_deletes_it(database_url: str) -> None:
    with psycopg.connect(as_role(database_url, DatabaseRole.API), autocommit=True) as connection:
        assert may(connection, "insert into {} (actor, action) values ('ada', 'login.succeeded')", "audit_entry")
        assert not may(connection, "update {} set actor = 'otto'", "audit_entry")
        assert not may(connection, "delete from {}", "audit_entry")
        assert not may(connection, "truncate {}", "audit_entry")


def test_the_api_adds_what_came_of_something_and_replaces_nothing_that_the_audit_has(database_url: str) -> None:
    with psycopg.connect(as_role(database_url, DatabaseRole.API), autocommit=True) as connection:
        connection.execute(
            """insert into audit_entry (actor, action, details, time) values
            ('ada', 'one', '{"path": "3/0/4"}', now()), ('ada', 'two', null, now()),
            ('ada', 'three', null, now() - interval '61 minutes'), ('ada', 'four', null, now())"""
        )
        connection.execute("""select add_audit_outcome(array[1, 2, 3], '{"code": "2.04", "path": "3/0/5"}')""")
        assert connection.execute("select action, details from audit_entry order by id").fetchall() == [
            ("one", {"path": "3/0/4", "code": "2.04"}),
            ("two", {"path": "3/0/5", "code": "2.04"}),
            ("three", None),
            ("four", None),
        ]


@pytest.mark.parametrize(("kept_for", "left"), [(None, ["old", "new"]), (timedelta(days=30), ["new"])])
def test_the_audit_is_kept_for_as_long_as_the_owner_said(
    database_url: str, kept_for: timedelta | None, left: list[str]
) -> None:
    upgrade(database_url, audit_kept_for=kept_for)
    with psycopg.connect(as_role(database_url, DatabaseRole.API), autocommit=True) as connection:
        connection.execute(
            "insert into audit_entry (actor, action, time) values "
            "('ada', 'old', now() - interval '31 days'), ('ada', 'new', now() - interval '29 days')"
        )
        connection.execute("select forget_audit()")
        assert [row[0] for row in connection.execute("select action from audit_entry order by time")] == left


@pytest.mark.parametrize("role", [DatabaseRole.INGEST, DatabaseRole.GRAFANA])
def test_only_the_api_asks_for_the_audit_to_be_shortened(database_url: str, role: DatabaseRole) -> None:
    with psycopg.connect(as_role(database_url, role)) as connection, pytest.raises(InsufficientPrivilege):
        connection.execute("select forget_audit()")


def test_what_was_granted_by_hand_is_gone_after_the_next_upgrade(database_url: str) -> None:
    with psycopg.connect(database_url) as owner:
        owner.execute("grant select on app_user to flownexus_grafana")
    upgrade(database_url)
    with psycopg.connect(as_role(database_url, DatabaseRole.GRAFANA)) as connection:
        assert not may(connection, "select from {} limit 1", "app_user")
