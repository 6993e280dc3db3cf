"""A replica of operations started over a long history: `python tests/bench/bench_operations_start.py [--ended N]`.

Prints JSON: what a start without a checkpoint costs, which reads the last message of every operation there ever was,
and one with it, which reads what is open. Seconds are until the replica works, the start of Python in them.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import httpx
import nats
import psutil
from nats.js import JetStreamContext

from flownexus_schemas import jetstream, subjects
from flownexus_schemas.commands import ReadResource
from flownexus_schemas.operations.messages import OperationCancelled, OperationRequested
from flownexus_schemas.operations.operation import Operation, OperationStatus
from flownexus_schemas.subjects import Bucket
from harness.embedded import RunningNats, running_nats
from harness.services import ServiceProcess
from harness.waiting import blocking_until

DEVICES = 2000
AT_A_TIME = 500


def messages(ended: int, open_: int) -> Iterator[tuple[str, bytes]]:
    """Those that are open came first."""
    now = datetime.now(UTC)
    for number in range(open_ + ended):
        endpoint = f"bench-{number % DEVICES}"
        operation = Operation(
            id=f"operation-{number:016x}",
            endpoint=endpoint,
            command=ReadResource(endpoint=endpoint, path="3/0/0"),
            requested_at=now,
            status=OperationStatus.QUEUED if number < open_ else OperationStatus.CANCELLED,
        )
        kind = OperationRequested if number < open_ else OperationCancelled
        event = kind(id=operation.id, source="/bench", subject=endpoint, time=now, data=operation)
        yield subjects.operation(endpoint, operation.id), event.model_dump_json().encode()


async def fill(url: str, ended: int, open_: int) -> None:
    """The stream with all of them."""
    client = await nats.connect(url)
    js = client.jetstream(timeout=60)
    await jetstream.provision(js)
    some: list[tuple[str, bytes]] = []
    for message in messages(ended, open_):
        some.append(message)
        if len(some) == AT_A_TIME:
            await _publish(js, some)
            some.clear()
    await _publish(js, some)
    await client.close()


async def _publish(js: JetStreamContext, some: list[tuple[str, bytes]]) -> None:
    await asyncio.gather(*(js.publish(subject, payload) for subject, payload in some))


async def has_checkpoint(url: str) -> bool:
    """Whether there is one."""
    client = await nats.connect(url)
    bucket = await client.jetstream().key_value(Bucket.CHECKPOINTS)
    state = await bucket.status()
    await client.close()
    return state.values > 0


def metric(service: ServiceProcess, name: str) -> float:
    """As /metrics says."""
    text = httpx.get(f"{service.health_url}/metrics", trust_env=False).text
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name} ")))


def start(service: ServiceProcess) -> dict[str, float]:
    """What one start costs."""
    started = time.monotonic()
    service.start(timeout_s=600)
    seconds = time.monotonic() - started
    return {
        "seconds": round(seconds, 2),
        "messages_read": metric(service, "flownexus_operations_read_at_start"),
        "open": metric(service, "flownexus_operations_open"),
        "memory_mib": round(psutil.Process(service.pid).memory_info().rss / 2**20, 1),
    }


def measure(folder: Path, server: RunningNats, given: argparse.Namespace) -> dict[str, object]:
    """Both kinds of start."""
    asyncio.run(fill(server.url, given.ended, given.open))
    env = {"FLOWNEXUS_NATS_URL": server.url, "FLOWNEXUS_LOG_LEVEL": "warning"}
    service = ServiceProcess("flownexus_operations", env, folder)
    found: dict[str, object] = {"ended": given.ended, "open": given.open}
    try:
        found["without_a_checkpoint"] = start(service)
        blocking_until(lambda: asyncio.run(has_checkpoint(server.url)), 60, "a checkpoint")
        service.kill()
        found["with_a_checkpoint"] = start(service)
    finally:
        service.kill()
    return found | {"load_of_machine": round(os.getloadavg()[0], 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ended", type=int, default=100_000)
    parser.add_argument("--open", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_nats(Path(name)) as server:
        print(json.dumps(measure(Path(name), server, given), indent=2))


if __name__ == "__main__":
    main()
