"""Running a service as a process: the event loop, and signals as an event to wait for."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import uvloop

CANCEL_AGAIN_S = 0.3


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


async def until_stopped(
    work: Coroutine[Any, Any, None],
    stop: asyncio.Event,
    drain: Callable[[asyncio.Task[None]], Awaitable[object]] | None = None,
) -> None:
    """Work until `stop` or until it ends by itself; then `drain`, and cancel what is left. Raises what it raises."""
    working = asyncio.create_task(work)
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if drain is not None and not working.done():
        await drain(working)
    while not working.done():
        working.cancel()
        # Again after a while: nats-py can swallow a cancellation that meets it while it connects.
        await asyncio.wait({working}, timeout=CANCEL_AGAIN_S)
    if not working.cancelled():
        await working
