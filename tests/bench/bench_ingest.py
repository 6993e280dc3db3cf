"""How fast ingest drains a full stream: `python tests/bench/bench_ingest.py [MESSAGES] [ENDPOINTS] [SECONDS]`.

Prints JSON. A real NATS, a real PostgreSQL that does not sync to disk, ingest as a process of its own. SECONDS lie
between two messages: with 0.6 and 1,000 endpoints each is a wake-up of its device, ten minutes after the last.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nats
import psutil
import psycopg
from nats.js import JetStreamContext
from nats.js.api import PubAck

from flownexus_schemas import jetstream
from flownexus_schemas.tables.upgrade import upgrade
from harness.embedded import running_nats, running_postgres
from harness.services import ServiceProcess

INTERVAL_S = 0.01


def report(number: int, endpoints: int, at_s: float) -> tuple[str, bytes, str]:
    """Subject, payload and id of one notification of a temperature sensor."""
    endpoint = f"urn:imei:{number % endpoints:015d}"
    at = datetime.fromtimestamp(at_s, UTC).isoformat()
    event = {
        "specversion": "1.0",
        "id": f"bench-{number}",
        "source": "/gateway/gw-1",
        "type": "io.flownexus.lwm2m.reported.v1",
        "subject": endpoint,
        "time": at,
        "datacontenttype": "application/json",
        "data": {
            "registration_id": "abcdefghijkl",
            "trigger": "notify",
            "composite": False,
            "observation": {"token": "0102030405060708", "paths": ["3303/0/5700"]},
            "records": [
                {"path": "3303/0/5700", "type": "float", "value": 20 + number % 100 / 10, "time": at, "anchored": True}
            ],
            "content_format": 112,
            "payload": "gaIhZjMzMDMvMC81NzAwAvtANGZmZmZmZg==",
            "received_at": at,
        },
    }
    return f"lwm2m.event.{endpoint}.reported", json.dumps(event).encode(), f"bench-{number}"


async def fill(js: JetStreamContext, messages: int, endpoints: int, interval_s: float) -> None:
    """Publish so many notifications."""
    start = time.time() - messages * interval_s
    window: list[asyncio.Future[PubAck]] = []
    for number in range(messages):
        subject, payload, identity = report(number, endpoints, start + number * interval_s)
        window.append(await js.publish_async(subject, payload, headers={"Nats-Msg-Id": identity}))
        if len(window) == 1000:
            await asyncio.gather(*window)
            window.clear()
    await asyncio.gather(*window)


async def measure(messages: int, endpoints: int, interval_s: float, folder: Path) -> dict[str, object]:
    """Fill the stream, then time from the start of the work to the last committed row."""
    with running_nats(folder) as server, running_postgres() as postgres:
        client = await nats.connect(server.url)
        js = client.jetstream()
        await jetstream.provision(js)
        await fill(js, messages, endpoints, interval_s)
        await client.close()
        url = postgres.create_database()
        upgrade(url)
        env = {"FLOWNEXUS_NATS_URL": server.url, "FLOWNEXUS_DATABASE_URL": url, "FLOWNEXUS_LOG_LEVEL": "info"}
        ingest = ServiceProcess("flownexus_ingest", env, folder)
        ingest.launch()
        points: list[tuple[float, int]] = []
        with psycopg.connect(url, autocommit=True) as connection:
            while not points or points[-1][1] < messages:
                row = connection.execute(
                    "select sequence from stream_position where stream = 'LWM2M_EVENTS'"
                ).fetchone()
                if row is not None and row[0] > 0:
                    points.append((time.perf_counter(), row[0]))
                await asyncio.sleep(0.05)
            found = connection.execute("select count(*), count(distinct endpoint_id) from resource").fetchone()
        used = psutil.Process(ingest.pid).cpu_times()
        ingest.stop()
        assert found == (messages, endpoints), found
        assert "ingest.waiting" not in ingest.log_text()
    (begin, first), (end, _) = points[0], points[-1]
    return {
        "messages": messages,
        "endpoints": endpoints,
        "seconds": round(end - begin, 2),
        "messages_per_s": round((messages - first) / (end - begin)),
        "cpu_us_a_message": round(1e6 * (used.user + used.system) / messages, 1),
    }


def main() -> None:
    messages, endpoints = [*map(int, sys.argv[1:3]), *(50_000, 1_000)[len(sys.argv[:3]) - 1 :]]
    interval_s = float(sys.argv[3]) if len(sys.argv) > 3 else INTERVAL_S
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(asyncio.run(measure(messages, endpoints, interval_s, Path(folder)))))


if __name__ == "__main__":
    main()
