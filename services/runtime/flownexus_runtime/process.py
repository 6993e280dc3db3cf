"""Running a service as a process: the event loop, and signals as an event to wait for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine
from typing import Any

import uvloop


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run a service's main on uvloop until it returns."""
    uvloop.run(main)


def stop_signal() -> asyncio.Event:
    """An event that SIGINT or SIGTERM sets. Call it inside the running loop."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop
