"""Answers of the API over a million readings: 50 endpoints, one reading each 10 seconds. Prints JSON.

The application runs in this process, without HTTP over a socket; PostgreSQL is a real server on this machine.
"""

from __future__ import annotations

import asyncio
import json
import random
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import psycopg

from flownexus_api import accounts
from flownexus_api.app import create_app
from flownexus_api.bus import Bus
from flownexus_api.database import create_engine
from flownexus_api.parts import Parts
from flownexus_runtime import logs
from flownexus_runtime.live_models import LiveObjectModels
from flownexus_schemas import objects
from flownexus_schemas.tables.upgrade import upgrade
from harness.embedded import running_postgres

ENDPOINTS = 50
READINGS = 1_000_000
REQUESTS = 200

FILL = f"""
insert into endpoint (name, registered, expires_at, last_seen_at)
    select 'node-' || n, true, now() + interval '1 hour', now() from generate_series(1, {ENDPOINTS}) n;
insert into resource_type (object_id, resource_id, name) values (3303, 5700, 'Sensor Value');
insert into resource (time, stream_sequence, record_index, endpoint_id, resource_type_id, object_instance_id,
        received_at, data_type, value_float)
    select now() - interval '10 seconds' * (n / {ENDPOINTS}), {READINGS} - n, 0, endpoint.id, resource_type.id, 0,
        now(), 'float', random()
    from generate_series(0, {READINGS} - 1) n join endpoint on endpoint.name = 'node-' || (1 + n % {ENDPOINTS}),
        resource_type;
analyze;
"""

ROUTES = {
    "history of 24 h, 500 values": "/api/v1/endpoints/{name}/history?path=3303/0/5700",
    "history of 24 h, buckets of 5 min": "/api/v1/endpoints/{name}/history?path=3303/0/5700&bucket=5m",
    "endpoints, 50": "/api/v1/endpoints",
    "one endpoint": "/api/v1/endpoints/{name}",
    "statistics": "/api/v1/statistics",
}


async def measure(client: httpx.AsyncClient, route: str) -> dict[str, float]:
    """Milliseconds of one request after another, each for an endpoint at random."""
    taken = []
    for _ in range(REQUESTS):
        url = route.format(name=f"node-{random.randint(1, ENDPOINTS)}")
        began = time.perf_counter()
        answer = await client.get(url)
        taken.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.text
    return {"p50_ms": round(statistics.median(taken), 1), "p95_ms": round(statistics.quantiles(taken, n=20)[18], 1)}


async def main(database_url: str) -> dict[str, object]:
    password = accounts.ensure_first_administrator(database_url)
    engine = create_engine(database_url)
    parts = Parts(engine=engine, bus=Bus(), models=LiveObjectModels(objects.load()))
    transport = httpx.ASGITransport(create_app(parts))
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        form = {"username": accounts.FIRST_ADMINISTRATOR, "password": password}
        token = (await client.post("/api/v1/auth/token", data=form)).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        results: dict[str, object] = {name: await measure(client, route) for name, route in ROUTES.items()}
    await engine.dispose()
    return {"readings": READINGS, "endpoints": ENDPOINTS, "requests": REQUESTS, **results}


if __name__ == "__main__":
    logs.configure("bench", "warning")
    with running_postgres() as server:
        database_url = server.create_database()
        upgrade(database_url)
        with psycopg.connect(database_url) as connection:
            connection.execute(FILL)
        print(json.dumps(asyncio.run(main(database_url)), indent=2))
