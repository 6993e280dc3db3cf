"""Operations on a sleeping fleet: `python tests/bench/bench_operations.py [--devices N --operations K --replicas R]`.

Real api, gateway, NATS, ingest, PostgreSQL, operations replicas, and simulated devices in queue mode, each a process,
all on this machine; prints JSON. Each device is asked K times over REST, by batches, to write one resource; that each
wrote each value once, in order, is read from the devices' own ledger, and the run fails where it is not so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import nats
import psutil

from flownexus_api import accounts
from flownexus_schemas import jetstream
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile, SingleObservation
from flownexus_schemas.subjects import Bucket
from flownexus_schemas.tables.upgrade import upgrade
from harness.embedded import RunningNats, RunningPostgres, running_nats, running_postgres
from harness.fleet import RunningFleet
from harness.rows import rows
from harness.services import ServiceProcess
from harness.waiting import blocking_until

PREFIX, PATH, PASSWORD = "bench", "3/0/15", "correct horse battery"
AWAKE_S = 4.0
"""For so long devices listen after what they sent; the server takes it for a second less."""

PATIENCE_S = 600


async def provision(url: str) -> None:
    """Streams, buckets and a profile whose observation wakes the devices."""
    client = await nats.connect(url)
    js = client.jetstream()
    await jetstream.provision(js)
    profile = ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),), awake_window_s=AWAKE_S - 1)
    await (await js.key_value(Bucket.OBSERVATION_PROFILES)).put(DEFAULT_KEY, profile.model_dump_json().encode())
    await client.close()


def log_in(client: httpx.Client, url: str) -> None:
    """As an operator."""
    accounts.add_user(url, "olga", "operator", PASSWORD)
    answer = client.post("/api/v1/auth/token", data={"username": "olga", "password": PASSWORD}).raise_for_status()
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def count(url: str, status: str) -> int:
    """Operations of this status."""
    return int(rows(url, "select count(*) from endpoint_operation where status = %s", status)[0][0])


def carried_out(requests: list[dict[str, Any]]) -> dict[str, list[str]]:
    """What was written to PATH, by endpoint, in its order."""
    written: dict[str, list[str]] = defaultdict(list)
    for request in requests:
        if (request["method"], request["path"]) == ("PUT", PATH):
            written[request["endpoint"]].append(bytes.fromhex(request["payload"]).decode())
    return written


def run(folder: Path, server: RunningNats, postgres: RunningPostgres, given: argparse.Namespace) -> dict[str, Any]:
    """One run of the fleet, and what came of it. Raises AssertionError where one was lost, doubled or out of order."""
    url = postgres.create_database()
    upgrade(url)
    env = {"FLOWNEXUS_NATS_URL": server.url, "FLOWNEXUS_DATABASE_URL": url, "FLOWNEXUS_LOG_LEVEL": "warning"}
    services = {name: ServiceProcess(f"flownexus_{name}", env, folder) for name in ("gateway", "ingest", "api")}
    services |= {
        f"operations-{number}": ServiceProcess("flownexus_operations", env, folder)
        for number in range(1, given.replicas + 1)
    }
    values = [f"value-{number}" for number in range(given.operations)]
    try:
        for service in services.values():
            service.start()
        fleet = RunningFleet(
            folder / "fleet",
            int(services["gateway"].env["FLOWNEXUS_COAP_PORT"]),
            f"--prefix={PREFIX}",
            f"--devices={given.devices}",
            f"--interval={given.interval}",
            f"--awake-window={AWAKE_S}",
            "--queue-mode",
            "--lifetime=600",
            "--start-rate=100",
        )
        try:
            registered = "select count(*) from observation_outcome where state = 'established'"
            blocking_until(lambda: rows(url, registered)[0][0] >= given.devices, PATIENCE_S, "every device observed")
            with httpx.Client(base_url=services["api"].health_url, timeout=120, trust_env=False) as client:
                log_in(client, url)
                started = time.monotonic()
                for value in values:
                    asked = {"operation": "write", "path": PATH, "value": value, "timeout_s": AWAKE_S}
                    select = {"endpoints": [f"{PREFIX}-*"]}
                    made = client.post("/api/v1/operations", json=asked | {"select": select}).raise_for_status()
                    assert made.json()["operations"] == given.devices, made.text
                asked_s = time.monotonic() - started
            wanted = given.devices * given.operations
            blocking_until(lambda: count(url, "CONFIRMED") >= wanted, PATIENCE_S, "the end of every operation")
            done_s = time.monotonic() - started
            memory = {name: psutil.Process(one.pid).memory_info().rss / 2**20 for name, one in services.items()}
            fleet.stop()
        finally:
            fleet.kill()
        written = carried_out(fleet.requests())
        wrong = {endpoint: found for endpoint, found in written.items() if found != values}
        assert (len(written), wrong) == (given.devices, {}), wrong
        attempts = Counter(dict(rows(url, "select attempts, count(*) from endpoint_operation group by attempts")))
        senders = dict(rows(url, SENDERS))
        return {
            "devices": given.devices,
            "operations": wanted,
            "operations_replicas": given.replicas,
            "seconds_between_signs_of_life": given.interval,
            "asked_for_s": round(asked_s, 1),
            "all_confirmed_s": round(done_s, 1),
            "each_once_and_in_order": True,
            "operations_by_attempts": attempts,
            "operations_by_status": dict(rows(url, "select status, count(*) from endpoint_operation group by status")),
            "steps": senders,
            "memory_mib": {name: round(used, 1) for name, used in memory.items()},
            "load_of_machine": round(os.getloadavg()[0], 1),
        }
    finally:
        for service in services.values():
            service.kill()


SENDERS = "select status, count(*) from endpoint_operation_change group by status"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--operations", type=int, default=5, help="for each device")
    parser.add_argument("--replicas", type=int, default=2, help="of operations")
    parser.add_argument("--interval", type=float, default=20, help="seconds between signs of life of a device")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_nats(Path(name)) as server, running_postgres() as postgres:
        asyncio.run(provision(server.url))
        print(json.dumps(run(Path(name), server, postgres, given), indent=2))


if __name__ == "__main__":
    main()
