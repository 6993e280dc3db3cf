"""Devices that answer after seconds, beside others: `python tests/bench/bench_slow_devices.py [--slow N --others M]`.

Real api, gateway, NATS, ingest, PostgreSQL, one operations replica and simulated devices, all on this machine; prints
JSON. All are asked over REST to write one resource: the others alone, then the slow ones and right after them the
others again, twice, as operations learns which are slow; then 200 slow ones and the others are read at once, each by
a request that waits for the answer. The run fails where one is not confirmed, or was done twice.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import nats
import psutil

from bench.bench_operations import PATH, carried_out, log_in
from flownexus_schemas import jetstream
from flownexus_schemas.tables.upgrade import upgrade
from harness.embedded import RunningNats, RunningPostgres, running_nats, running_postgres
from harness.fleet import RunningFleet
from harness.rows import rows
from harness.services import ServiceProcess
from harness.waiting import blocking_until

PATIENCE_S = 300
MOST_READS = 200
"""Requests that wait for the answers of slow devices, at once: each is a connection to the api."""

TIMES = """
    select count(*), percentile_cont(array[0.5, 0.99]) within group (order by seconds), min(seconds), max(seconds),
           max(attempts)
    from (
        select extract(epoch from finished_at - created_at) as seconds, attempts
        from endpoint_operation where batch = %s and status = 'CONFIRMED'
    ) as ended
"""

CONFIRMED = "select count(*) from endpoint_operation where batch = %s and status = 'CONFIRMED'"


async def provision(url: str) -> None:
    """Streams and buckets."""
    client = await nats.connect(url)
    await jetstream.provision(client.jetstream())
    await client.close()


class Bench:
    """The services and their api."""

    def __init__(self, folder: Path, server: RunningNats, url: str, stack: ExitStack) -> None:
        self.url = url
        env = {"FLOWNEXUS_NATS_URL": server.url, "FLOWNEXUS_DATABASE_URL": url, "FLOWNEXUS_LOG_LEVEL": "warning"}
        self.services = {
            name: ServiceProcess(f"flownexus_{name}", env, folder)
            for name in ("gateway", "ingest", "api", "operations")
        }
        for service in self.services.values():
            stack.callback(service.kill)
            service.start()
        base = self.services["api"].health_url
        self.client = stack.enter_context(httpx.Client(base_url=base, timeout=120, trust_env=False))
        log_in(self.client, url)

    def ask(self, prefix: str, value: str, count: int) -> str:
        """Every device of a fleet to write this; the batch."""
        asked = {"operation": "write", "path": PATH, "value": value, "timeout_s": 40}
        answer = self.client.post("/api/v1/operations", json=asked | {"select": {"endpoints": [f"{prefix}-*"]}})
        made = answer.raise_for_status().json()
        assert made["operations"] == count, made
        return str(made["batch"])

    def times(self, batch: str, count: int) -> dict[str, Any]:
        """Seconds from the request to the end of each, once all have ended."""
        found: list[tuple[Any, ...]] = []

        def all_ended() -> bool:
            found[:] = rows(self.url, TIMES, batch)
            return bool(found[0][0] == count)

        blocking_until(all_ended, PATIENCE_S, f"{count} of {batch} confirmed")
        _, (half, most), shortest, longest, attempts = found[0]
        seconds = {"first": shortest, "median": half, "99_percent": most, "last": longest}
        return {name: round(float(value), 2) for name, value in seconds.items()} | {"attempts_at_most": attempts}

    def beside(self, value: str, given: argparse.Namespace) -> dict[str, Any]:
        """The slow ones are asked, and the others right after them."""
        slow = self.ask("slow", value, given.slow)
        others = self.times(self.ask("others", value, given.others), given.others)
        confirmed = rows(self.url, CONFIRMED, slow)[0][0]
        return {
            "others_s": others,
            "slow_ones_confirmed_when_all_others_were": confirmed,
            "slow_ones_s": self.times(slow, given.slow),
        }

    async def read_all(self, counts: dict[str, int]) -> dict[str, dict[str, float]]:
        """Seconds until each answered, when all are read at once, the slow ones first."""
        limits = httpx.Limits(max_connections=sum(counts.values()))
        async with httpx.AsyncClient(
            base_url=self.client.base_url, headers=self.client.headers, timeout=120, trust_env=False, limits=limits
        ) as client:

            async def read(name: str) -> float:
                began = time.monotonic()
                asked = {"operation": "read", "path": PATH, "timeout_s": 40}
                (await client.post(f"/api/v1/endpoints/{name}/requests", json=asked)).raise_for_status()
                return time.monotonic() - began

            names = {prefix: [f"{prefix}-{number:05}" for number in range(count)] for prefix, count in counts.items()}
            tasks = {prefix: [asyncio.create_task(read(name)) for name in of] for prefix, of in names.items()}
            took = {prefix: sorted(await asyncio.gather(*of)) for prefix, of in tasks.items()}
        return {prefix: {"median": round(of[len(of) // 2], 2), "last": round(of[-1], 2)} for prefix, of in took.items()}


def run(folder: Path, server: RunningNats, postgres: RunningPostgres, given: argparse.Namespace) -> dict[str, Any]:
    """One run, and what came of it. Raises AssertionError where one was lost or doubled."""
    url = postgres.create_database()
    upgrade(url)
    with ExitStack() as stack:
        bench = Bench(folder, server, url, stack)
        port = int(bench.services["gateway"].env["FLOWNEXUS_COAP_PORT"])
        fleets = {}
        for prefix, count, latency in (("slow", given.slow, given.latency), ("others", given.others, 0)):
            options = (f"--prefix={prefix}", f"--devices={count}", "--interval=600", "--lifetime=3600")
            fleets[prefix] = RunningFleet(folder / prefix, port, *options, f"--latency={latency}")
            stack.callback(fleets[prefix].kill)
        total = given.slow + given.others
        blocking_until(lambda: rows(url, "select count(*) from endpoint")[0][0] == total, PATIENCE_S, "all registered")
        alone = bench.times(bench.ask("others", "alone", given.others), given.others)
        rounds = [bench.beside(f"round {number}", given) for number in (1, 2)]
        read = asyncio.run(bench.read_all({"slow": min(given.slow, MOST_READS), "others": given.others}))
        memory = {name: psutil.Process(one.pid).memory_info().rss / 2**20 for name, one in bench.services.items()}
        wrote = {prefix: carried_out((fleet.stop(), fleet.requests())[1]) for prefix, fleet in fleets.items()}
        expected = {"slow": ("round 1", "round 2"), "others": ("alone", "round 1", "round 2")}
        for prefix, values in expected.items():
            assert {tuple(written) for written in wrote[prefix].values()} == {values}, "each once, in order"
        return {
            "slow_devices": given.slow,
            "latency_s_each_way": given.latency,
            "other_devices": given.others,
            "others_alone_s": alone,
            "others_beside_slow_ones": rounds,
            "reads_that_wait_for_the_answer_s": read,
            "memory_mib": {name: round(used, 1) for name, used in memory.items()},
            "load_of_machine": round(os.getloadavg()[0], 1),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--slow", type=int, default=1000, help="devices that answer after twice the latency")
    parser.add_argument("--latency", type=float, default=2.5, help="seconds, each way")
    parser.add_argument("--others", type=int, default=50, help="devices that answer at once")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_nats(Path(name)) as server, running_postgres() as postgres:
        asyncio.run(provision(server.url))
        print(json.dumps(run(Path(name), server, postgres, given), indent=2))


if __name__ == "__main__":
    main()
