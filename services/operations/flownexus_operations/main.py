"""Builds operations from its settings and runs it until a signal."""

from __future__ import annotations

import sys
from typing import NoReturn

from pydantic import ValidationError

from flownexus_operations.service import Operations
from flownexus_operations.settings import OperationsSettings
from flownexus_runtime import health, logs, process
from flownexus_runtime.bus_tls import TlsFailed

MISCONFIGURED = 2
STOP_S = 4.0


def main() -> None:
    """Run until SIGTERM or SIGINT. Exit code 2 and one line on standard error where a setting is wrong."""
    try:
        settings = OperationsSettings()
    except ValidationError as error:
        _refuse("; ".join(f"FLOWNEXUS_{'_'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors()))
    logs.configure("operations", settings.log_level, settings.log_format)
    try:
        process.run(_serve(settings, Operations(settings)))
    except TlsFailed as error:
        _refuse(str(error))
    except OSError as error:
        _refuse(f"FLOWNEXUS_HEALTH_PORT: {settings.health_host}:{settings.health_port}: {error.strerror or error}")


async def _serve(settings: OperationsSettings, operations: Operations) -> None:
    stop = process.stop_signal()
    checks = {"nats": operations.is_connected, "operations": operations.is_working}
    async with health.serving(settings, checks):
        await process.until_stopped(operations.run(), stop, lambda _: operations.stop(STOP_S))


def _refuse(problem: str) -> NoReturn:
    sys.stderr.write(f"flownexus_operations: {problem}\n")
    sys.exit(MISCONFIGURED)
