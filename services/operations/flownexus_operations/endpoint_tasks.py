"""One task an endpoint that has something to do: what comes meanwhile is looked at by the same one, after."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

log = structlog.get_logger(__name__)

RETRY_S = 1.0
"""After a failure that is ours."""

_TICK_S = 0.25

Care = Callable[[str], Awaitable[bool]]
"""One step for an endpoint; whether another one is to follow at once."""


class EndpointTasks:
    """`look` begins a task where none is, `at` does so later. Nothing is begun before `start`, or after `stop`."""

    def __init__(self, care: Care, is_ours: Callable[[str], bool], name: str) -> None:
        self._care, self._is_ours, self._name = care, is_ours, name
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._due: list[tuple[float, str]] = []
        self._is_begun = self._is_stopped = False

    def start(self) -> bool:
        """From now on; whether it was not begun before."""
        was_begun, self._is_begun = self._is_begun, not self._is_stopped
        return not was_begun

    def look(self, endpoint: str) -> None:
        """Something of the endpoint changed."""
        if not self._is_begun:
            return
        if endpoint in self._tasks:
            self._again.add(endpoint)
        elif self._is_ours(endpoint):
            task = asyncio.create_task(self._run(endpoint))
            self._tasks[endpoint] = task
            task.add_done_callback(partial(self._done, endpoint))

    def at(self, when: float, endpoint: str) -> None:
        """Look at the endpoint then. Unix seconds."""
        heapq.heappush(self._due, (when, endpoint))

    async def run(self) -> None:
        """Look at endpoints whose time has come, for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.time()
            while self._due and self._due[0][0] <= now:
                self.look(heapq.heappop(self._due)[1])

    async def stop(self, timeout_s: float) -> None:
        """Begin nothing more; wait for what is under way, at most `timeout_s`."""
        self._is_begun, self._is_stopped = False, True
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _run(self, endpoint: str) -> None:
        while self._is_begun:
            self._again.discard(endpoint)
            goes_on = await self._care(endpoint)
            if not goes_on and endpoint not in self._again:
                return

    def _done(self, endpoint: str, task: asyncio.Task[None]) -> None:
        del self._tasks[endpoint]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("endpoint.failed_to_care", what=self._name, endpoint=endpoint, exc_info=error)
            self.at(time.time() + RETRY_S, endpoint)
        elif endpoint in self._again:
            self.look(endpoint)
