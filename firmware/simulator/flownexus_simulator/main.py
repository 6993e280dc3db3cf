"""A run of the simulator as a process: signals, health, the summary."""

from __future__ import annotations

import contextlib
import pathlib
import resource
from collections.abc import Callable
from typing import NamedTuple

from prometheus_client import Gauge

from flownexus_runtime import health, process
from flownexus_simulator.fleet import Fleet, Plan
from flownexus_simulator.ledger import Ledger
from flownexus_simulator.settings import SimulatorSettings

SPARE_FILES = 64

DEVICES = Gauge("flownexus_simulator_devices", "Simulated devices.")
REGISTERED = Gauge("flownexus_simulator_registered", "Simulated devices that are registered.")
NOTIFICATIONS = Gauge("flownexus_simulator_notifications", "Notifications made since the start.")
ACKNOWLEDGED = Gauge("flownexus_simulator_acknowledged", "Notifications acknowledged since the start.")


class LedgerFiles(NamedTuple):
    """Where the ledgers are written; None for nowhere."""

    notifications: pathlib.Path | None = None
    requests: pathlib.Path | None = None
    firmware: pathlib.Path | None = None


def allow_open_files(wanted: int) -> int:
    """Raise this process's limit of open files to `wanted` if it may; the limit in force."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
        return limit
    return soft


def simulate(plan: Plan, settings: SimulatorSettings, files: LedgerFiles, *, serve_health: bool) -> dict[str, object]:
    """Run a plan to its end or to SIGINT or SIGTERM; the summary. Raises OSError: files, sockets, ports."""
    summary: dict[str, object] = {}
    process.run(_simulate(plan, settings, files, summary.update, serve_health=serve_health))
    return summary


async def _simulate(
    plan: Plan,
    settings: SimulatorSettings,
    files: LedgerFiles,
    report: Callable[[dict[str, object]], None],
    *,
    serve_health: bool,
) -> None:
    stop = process.stop_signal()
    async with contextlib.AsyncExitStack() as stack:
        ledgers = [None if file is None else stack.enter_context(Ledger(file)) for file in files]
        fleet = Fleet(plan, *ledgers)
        DEVICES.set(plan.devices)
        REGISTERED.set_function(fleet.registered)
        NOTIFICATIONS.set_function(lambda: fleet.statistics.notifications)
        ACKNOWLEDGED.set_function(lambda: fleet.statistics.acknowledged)
        if serve_health:
            await stack.enter_async_context(health.serving(settings, {"registered": lambda: fleet.registered() > 0}))
        await fleet.run(stop)
        report(fleet.summary())
