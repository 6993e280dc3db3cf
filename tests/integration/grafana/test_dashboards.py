"""The dashboards are what the code generates, and each of their queries finds rows in a real database."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from nats.js import JetStreamContext

from flownexus_schemas.database_role import DatabaseRole
from harness.embedded import RunningNats
from harness.event_messages import (
    EventMessage,
    deregistered,
    event_message,
    publish,
    record,
    registered,
    reported,
    updated,
)
from harness.rows import projected
from harness.service_logins import as_role
from harness.services import ServiceProcess

GRAFANA = Path(__file__).parents[3] / "deploy" / "grafana"
DASHBOARDS = ("fleet", "endpoint")
ENDPOINT = "urn:imei:123456789012345"
S = timedelta(seconds=1)


def dashboard(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((GRAFANA / "dashboards" / f"{name}.json").read_text())
    return loaded


def queries(name: str) -> Iterator[tuple[str, str, str]]:
    """Title, format and SQL of each panel and variable."""
    found = dashboard(name)
    for panel in found["panels"]:
        for target in panel["targets"]:
            yield panel["title"], target["format"], target["rawSql"]
    for variable in found.get("templating", {}).get("list", ()):
        yield f"variable {variable['name']}", "table", variable["query"]


def expanded(sql: str, since: datetime, until: datetime) -> str:
    """The SQL as Grafana sends it to a PostgreSQL without TimescaleDB, at an interval of 30 s."""
    period = f"BETWEEN '{since.isoformat()}' AND '{until.isoformat()}'"
    group = r"floor(extract(epoch from \1)/30)*30"
    sql = re.sub(r"\$__timeFilter\(([\w.]+)\)", rf"\1 {period}", sql)
    sql = re.sub(r"\$__timeGroupAlias\(([\w.]+), \$__interval\)", rf'{group} AS "time"', sql)
    sql = sql.replace("$__interval_ms", "30000")
    sql = sql.replace("${endpoint:sqlstring}", f"'{ENDPOINT}'")
    sql = sql.replace("${resource:sqlstring}", "'3303/0/5700','26241/0/1'")
    assert "$" not in sql, f"not expanded: {sql}"
    return sql


def a_day(now: datetime) -> list[EventMessage]:
    """Something for every panel."""
    observation = {
        "registration_id": "reg1",
        "state": "refused",
        "observation": {"token": "01", "paths": ["3304/0/5700"]},
        "composite": False,
        "code": "4.04",
        "diagnostic": "no such object",
    }
    at = now - 60 * S
    overdue = {
        "registration_id": "reg1",
        "last_heard_at": (at - 600 * S).isoformat(),
        "expected_at": (at - 300 * S).isoformat(),
        "expected_by": (at - 300 * S).isoformat(),
    }
    return [
        registered(ENDPOINT, at - 5 * S, lifetime_s=3600),
        updated(ENDPOINT, at, lifetime_s=3600),
        registered("sleeper", at - 600 * S, queue_mode=True, awake_window_s=20.0, lifetime_s=86400),
        event_message("sleeper", "overdue", at, overdue),
        registered("gone", at - 500 * S),
        deregistered("gone", at - 400 * S),
        reported(
            ENDPOINT,
            at,
            record("3/0/0", "string", "Zephyr", at),
            record("3/0/1", "string", "native_sim", at),
            record("3/0/3", "string", "1.0.0", at),
            record("3/0/13", "time", 10**18, at),
        ),
        *(reported(ENDPOINT, at + n * S, record("3303/0/5700", "float", 20 + n, at + n * S)) for n in range(40)),
        reported(
            ENDPOINT,
            at,
            record("26241/0/1", "integer", 1, at),
            record("3303/0/5700", "float", 21.0, at),
            composite=True,
            event_type="alarm",
        ),
        event_message(ENDPOINT, "observation", at, observation),
        event_message(ENDPOINT, "log", at, {"level": "error", "text": "sensor gone", "time": at.isoformat()}),
        reported(ENDPOINT, at, payload="3q2+7w==", undecoded="not CBOR"),
    ]


@pytest.fixture
async def filled_database(js: JetStreamContext, nats_server: RunningNats, database_url: str, tmp_path: Path) -> str:
    """A database that ingest has filled with `a_day`."""
    env = {"FLOWNEXUS_NATS_URL": nats_server.url, "FLOWNEXUS_DATABASE_URL": database_url}
    last = await publish(js, *a_day(datetime.now(UTC)))
    ingest = ServiceProcess("flownexus_ingest", env, tmp_path)
    ingest.start()
    try:
        await projected(database_url, last)
    finally:
        ingest.stop()
    return database_url


def test_the_dashboards_are_those_that_the_code_generates(tmp_path: Path) -> None:
    subprocess.run([sys.executable, GRAFANA / "generate.py", tmp_path], check=True)

    for name in DASHBOARDS:
        assert json.loads((tmp_path / f"{name}.json").read_text()) == dashboard(name)


async def test_every_query_of_the_dashboards_finds_rows(filled_database: str) -> None:
    until = datetime.now(UTC)
    empty = []
    with psycopg.connect(as_role(filled_database, DatabaseRole.GRAFANA)) as connection:
        for name in DASHBOARDS:
            for title, result, sql in queries(name):
                cursor = connection.execute(expanded(sql, until - timedelta(hours=6), until).encode())
                assert cursor.description is not None
                columns = [column.name for column in cursor.description]
                if not cursor.fetchall():
                    empty.append((name, title))
                assert result == "table" or columns[0] == "time", f"{name}, {title}: {columns}"
    assert empty == []


async def test_the_fleet_counts_each_status(filled_database: str) -> None:
    now = datetime.now(UTC)
    with psycopg.connect(as_role(filled_database, DatabaseRole.GRAFANA)) as connection:
        counts = {
            title: connection.execute(expanded(sql, now, now).encode()).fetchall()
            for title, _, sql in queries("fleet")
            if title in {"Online", "Asleep", "Offline", "Overdue"}
        }
    assert counts == {"Online": [(1,)], "Asleep": [(1,)], "Offline": [(1,)], "Overdue": [(1,)]}


def test_panels_lie_side_by_side_without_overlap() -> None:
    for name in DASHBOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in dashboard(name)["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert place["x"] + place["w"] <= 24
            assert not taken & cells, f"{name}: {panel['title']}"
            taken |= cells


def test_the_provisioned_data_source_is_the_one_that_panels_use() -> None:
    provisioned = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "flownexus.yaml").read_text())
    (source,) = provisioned["datasources"]
    used = {
        (target["datasource"]["type"], target["datasource"]["uid"])
        for name in DASHBOARDS
        for panel in dashboard(name)["panels"]
        for target in panel["targets"]
    }
    assert used == {(source["type"], source["uid"])}
    assert source["secureJsonData"] == {"password": "$GRAFANA_DATABASE_PASSWORD"}
