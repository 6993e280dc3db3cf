"""`kill -9` of each process under 300 notifications a second: what was acknowledged to a device is there, once."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator

import psycopg
import pytest

from harness.embedded import open_folder
from harness.fleet import RunningFleet, Sent, stored_values, values_of
from harness.rows import rows
from harness.system import RunningSystem
from harness.waiting import blocking_until

pytestmark = pytest.mark.timeout(400)

DEVICES = 300
NOTIFICATIONS_PER_S = 300
DURATION_S = 30
KILLS = 3
CATCH_UP_S = 30


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    """One system for the four drills, with the settings that it has on a laptop."""
    with open_folder() as folder:
        running = RunningSystem(folder)
        running.start()
        yield running
        running.stop()


def count_rows(system: RunningSystem, prefix: str) -> int:
    """How many of them; 0 while the database is away."""
    query = "select count(*) from resource r join endpoint e on e.id = r.endpoint_id where starts_with(e.name, %s)"
    try:
        count: int = rows(system.connection.database_url, query, f"{prefix}-")[0][0]
    except psycopg.OperationalError:
        return 0
    return count


def kill_under_load(system: RunningSystem, victim: str, prefix: str) -> None:
    """Kill a process while rows are coming in, and wait until another is in its place."""
    before = count_rows(system, prefix)
    try:
        blocking_until(lambda: count_rows(system, prefix) > before + 1000, 30, "rows under load")
    except AssertionError as error:
        log = (system.folder / "logs" / f"{victim}.log").read_text(errors="replace")
        raise AssertionError(f"{error}; the log of {victim}:\n{log[-4000:]}\n{system.log_text()[-2000:]}") from None
    killed = system.process_number(victim)
    os.kill(killed, signal.SIGKILL)
    blocking_until(lambda: system.process_number(victim) != killed, 30, f"a new {victim}")


@pytest.mark.parametrize("victim", ["gateway", "ingest", "nats", "postgres"])
def test_nothing_acknowledged_is_lost_or_doubled_by_a_kill(victim: str, system: RunningSystem) -> None:
    prefix = f"drill-{victim}"
    fleet = RunningFleet(
        system.folder.parent / victim,
        system.coap_port,
        f"--prefix={prefix}",
        f"--devices={DEVICES}",
        f"--rate={NOTIFICATIONS_PER_S}",
        f"--duration={DURATION_S}",
        f"--start-rate={DEVICES}",
    )
    try:
        for _ in range(KILLS):
            kill_under_load(system, victim, prefix)
            last_kill = time.time()
            assert fleet.is_running, fleet.log_text()
        summary = fleet.finish()
    finally:
        fleet.kill()
    ledger = fleet.ledger()
    acknowledged = values_of(ledger, acknowledged=True)
    assert summary["acknowledged"] > 1000, summary
    heard_since = {(line["endpoint"], line["composite"]) for line in ledger if (line["acknowledged"] or 0) > last_kill}
    assert len(heard_since) == 2 * DEVICES, f"not every observation lives on: {len(heard_since)}; {summary}"

    url = system.connection.database_url

    def missing() -> set[Sent]:
        return acknowledged - stored_values(url, prefix).keys()

    late = time.monotonic() + CATCH_UP_S
    blocking_until(lambda: not missing() or time.monotonic() > late, CATCH_UP_S + 30, "the end of the wait")
    assert not missing(), f"{len(missing())} lost, such as {sorted(missing())[:3]}; {summary}"
    sent = values_of(ledger, acknowledged=False)
    doubled = sorted(value for value, times in stored_values(url, prefix).items() if times > 1 and value in sent)
    assert not doubled, f"{len(doubled)} doubled, such as {doubled[:3]}; {summary}"
