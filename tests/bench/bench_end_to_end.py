"""From device to committed row: `python tests/bench/bench_end_to_end.py [--devices N --rate R --seconds S]`.

Real gateway, NATS, ingest and PostgreSQL, and a simulated fleet, each a process, all on this machine; prints JSON. The
latency is from the device's own time of a value to the commit of its row, as PostgreSQL tells it: of the whole run,
in whose beginning `--start-rate` devices register each second, and of what is left once all are registered.
PostgreSQL does not sync to disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nats
import psutil
import psycopg

from flownexus_schemas import jetstream
from flownexus_schemas.tables.upgrade import upgrade
from harness.embedded import RunningNats, RunningPostgres, running_nats, running_postgres
from harness.fleet import RunningFleet, stored_values, values_of
from harness.rows import rows
from harness.services import ServiceProcess
from harness.waiting import blocking_until

PREFIX = "bench"
CATCH_UP_S = 120

LATENCIES = """
    select percentile_cont(array[0.5, 0.95, 0.99]) within group (
        order by extract(epoch from pg_xact_commit_timestamp(r.xmin) - r.time) * 1000
    ) from resource r join resource_type t on t.id = r.resource_type_id
    where t.object_id in (3303, 10300) and r.time <> r.received_at and r.time > to_timestamp(%s)
"""


def keep_commit_times(postgres: RunningPostgres) -> None:
    """Let PostgreSQL remember when each transaction committed."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("alter system set track_commit_timestamp = on")
    postgres.stop()
    postgres.start()


async def provision(url: str) -> None:
    """Streams, buckets and the default profile."""
    client = await nats.connect(url)
    await jetstream.provision(client.jetstream())
    await client.close()


def memory_mib(process: ServiceProcess) -> float:
    """Resident memory of a service."""
    resident: int = psutil.Process(process.pid).memory_info().rss
    return resident / 2**20


def cpu_s(pid: int) -> float:
    """Processor seconds so far of a process and of those that it started."""
    process = psutil.Process(pid)
    used = float(sum(process.cpu_times()[:4]))
    return used + sum(float(sum(child.cpu_times()[:2])) for child in process.children(recursive=True))


def ended_children_s() -> float:
    """Processor seconds of the processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def latencies(url: str, since: float) -> dict[str, float]:
    """Of values measured after `since`, Unix seconds; in milliseconds."""
    found = rows(url, LATENCIES, since)[0][0]
    return dict(zip(("p50", "p95", "p99"), [round(float(ms), 1) for ms in found], strict=True))


def cpu_shares(before: dict[str, float], after: dict[str, float], took_s: float) -> dict[str, float]:
    """Of one core, by process."""
    return {name: round((after[name] - before[name]) / took_s, 2) for name in before}


def count_registered(url: str) -> int:
    """Endpoints that the database has as registered."""
    return int(rows(url, "select count(*) from endpoint where registered")[0][0])


def run(
    folder: Path, server: RunningNats, postgres: RunningPostgres, url: str, given: argparse.Namespace
) -> dict[str, object]:
    """One run of the fleet, and what came of it."""
    env = {"FLOWNEXUS_NATS_URL": server.url, "FLOWNEXUS_DATABASE_URL": url, "FLOWNEXUS_LOG_LEVEL": "warning"}
    gateway = ServiceProcess("flownexus_gateway", env, folder)
    ingest = ServiceProcess("flownexus_ingest", env, folder)
    services = (gateway, ingest)
    try:
        for service in services:
            service.start()
        empty = memory_mib(gateway)
        begun = time.monotonic()
        fleet = RunningFleet(
            folder / "fleet",
            int(gateway.env["FLOWNEXUS_COAP_PORT"]),
            f"--prefix={PREFIX}",
            f"--devices={given.devices}",
            f"--rate={given.rate}",
            f"--duration={given.seconds + given.devices / given.start_rate}",
            f"--start-rate={given.start_rate}",
        )
        try:
            blocking_until(lambda: count_registered(url) >= given.devices, CATCH_UP_S, "every device registered")
            registered_s = time.monotonic() - begun
            registered_at = time.time()
            registered = memory_mib(gateway)
            pids = {"gateway": gateway.pid, "ingest": ingest.pid, "nats": server.pid, "postgresql": postgres.pid}
            used = {name: cpu_s(pid) for name, pid in pids.items()} | {"simulator": cpu_s(fleet.pid)}
            measured = time.monotonic()
            ended_before = ended_children_s()
            summary = fleet.finish(timeout_s=given.seconds + 300)
        finally:
            fleet.kill()
        took_s = time.monotonic() - measured
        used_after = {name: cpu_s(pid) for name, pid in pids.items()}
        used_after["simulator"] = ended_children_s() - ended_before
        acknowledged = values_of(fleet.ledger(), acknowledged=True)
        blocking_until(lambda: acknowledged <= stored_values(url, PREFIX).keys(), CATCH_UP_S, "every row")
        sent = values_of(fleet.ledger(), acknowledged=False)
        doubled = sum(times > 1 and value in sent for value, times in stored_values(url, PREFIX).items())
        return {
            "devices": given.devices,
            "registered_after_s": round(registered_s, 1),
            "notifications_asked_per_s": given.rate,
            "notifications": summary["notifications"],
            "acknowledged": summary["acknowledged"],
            "acknowledged_values_missing": 0,
            "values_doubled": doubled,
            "retransmissions": summary["retransmissions"],
            "timed_out": summary["timed_out"],
            "seconds": round(summary["elapsed_s"], 1),
            "values_committed": len(acknowledged),
            "ack_ms": summary["ack_ms"],
            "device_to_commit_ms": latencies(url, 0),
            "device_to_commit_ms_once_all_are_registered": latencies(url, registered_at),
            "cpu_share": cpu_shares(used, used_after, took_s),
            "gateway_kib_per_device": round((registered - empty) * 1024 / given.devices, 1),
            "gateway_mib": round(memory_mib(gateway), 1),
            "ingest_mib": round(memory_mib(ingest), 1),
            "load_of_machine": round(os.getloadavg()[0], 1),
        }
    finally:
        for service in services:
            service.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=2000, help="notifications a second over the fleet")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--start-rate", type=float, default=200, help="devices switched on in a second")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_nats(Path(name)) as server, running_postgres() as postgres:
        keep_commit_times(postgres)
        asyncio.run(provision(server.url))
        url = postgres.create_database()
        upgrade(url)
        print(json.dumps(run(Path(name), server, postgres, url, given), indent=2))


if __name__ == "__main__":
    main()
