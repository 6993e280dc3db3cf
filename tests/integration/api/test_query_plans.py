"""Questions about one endpoint read its own rows, however many others there are."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import psycopg
import pytest

from harness.waiting import until

MANY = """
insert into endpoint (name) select 'node-' || n from generate_series(1, 50) n;
insert into resource_type (object_id, resource_id) values (3303, 5700), (10240, 0);
insert into resource (time, stream_sequence, record_index, endpoint_id, resource_type_id, object_instance_id,
        received_at, data_type, value_float)
    select now() - interval '10 seconds' * (n / 50), n, 0, endpoint.id, resource_type.id, 0, now(), 'float', n
    from generate_series(0, 99999) n join endpoint on endpoint.name = 'node-' || (1 + n % 50)
        join resource_type on object_id = 3303;
analyze;
"""


@pytest.fixture
def scans(database_url: str) -> Callable[[], tuple[int, int]]:
    """How often `resource` was read whole, and by the index of its series, as the server counts it."""
    with psycopg.connect(database_url) as connection:
        connection.execute(MANY)

    def counted() -> tuple[int, int]:
        query = """select (select seq_scan from pg_stat_user_tables where relname = 'resource'),
            (select idx_scan from pg_stat_user_indexes where indexrelname = 'ix_resource_series')"""
        with psycopg.connect(database_url) as connection:
            whole, by_index = connection.execute(query).fetchone() or (0, 0)
        return whole, by_index

    return counted


@pytest.mark.parametrize(
    "path",
    ["/endpoints/node-7/history?path=3303/0/5700", "/endpoints/node-7/history?path=3303/0/5700&bucket=5m"],
)
async def test_history_is_read_by_the_index_of_its_series(
    client: httpx.AsyncClient, scans: Callable[[], tuple[int, int]], path: str
) -> None:
    whole_before, by_index_before = scans()
    for _ in range(10):
        answer = await client.get(f"/api/v1{path}")
        assert answer.status_code == 200
        assert answer.json()["items"]
    await until(lambda: scans()[1] > by_index_before, what="the server to count the reads by index")
    assert scans()[0] == whole_before


LINES = """
insert into endpoint (name) select 'node-' || n from generate_series(1, 50) n;
insert into log_line (time, stream_sequence, endpoint_id, level, text)
    select now() - interval '1 second' * n, n, endpoint.id, case when n % 1000 < 50 then 'error' else 'info' end,
        'modem: cell ' || n
    from generate_series(1, 50000) n join endpoint on endpoint.name = 'node-' || (1 + n % 50);
analyze;
"""


async def test_the_log_of_an_endpoint_is_read_by_its_index(client: httpx.AsyncClient, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute(LINES)

    def scans() -> tuple[int, int]:
        counted = """select (select seq_scan from pg_stat_user_tables where relname = 'log_line'),
            (select idx_scan from pg_stat_user_indexes where indexrelname = 'ix_log_line_series')"""
        with psycopg.connect(database_url) as connection:
            whole, by_index = connection.execute(counted).fetchone() or (0, 0)
        return whole, by_index

    whole_before, by_index_before = scans()
    queries = ("", "?level=error", "?q=cell%20199", "?from=2026-01-01T00:00:00Z", "?limit=1000")
    for query in queries:
        answer = await client.get(f"/api/v1/endpoints/node-7/logs{query}")
        assert answer.status_code == 200
        assert answer.json()["items"], query
    await until(lambda: scans()[1] >= by_index_before + len(queries), what="the server to count the reads by index")
    assert scans()[0] == whole_before
