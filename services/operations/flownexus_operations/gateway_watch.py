"""Which process each gateway is: one that was started again answers nothing that the one before was asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

INTERVAL_S = 2.0
"""Between two looks at a gateway that was asked something."""

Look = Callable[[str], Awaitable[str | None]]
"""Which process a gateway is; None where it does not say."""


class GatewayWatch:
    """Looks at each gateway while requests to it are under way.

    A gateway that says nothing may have lost NATS for a moment: only another process in its place is the end of the one
    before.
    """

    def __init__(self, look: Look) -> None:
        self._look = look
        self._watched: dict[str, _Watched] = {}

    @asynccontextmanager
    async def replaced(self, gateway: str) -> AsyncIterator[asyncio.Event]:
        """While the block asks this gateway: set when another process takes the place of the one that is there."""
        watched = self._watched.get(gateway)
        if watched is None:
            watched = self._watched[gateway] = _Watched()
            watched.task = asyncio.create_task(self._watch(gateway, watched))
        watched.asked += 1
        try:
            yield watched.replaced
        finally:
            watched.asked -= 1
            if not watched.asked and watched.task is not None:
                watched.task.cancel()
                self._forget(gateway, watched)

    async def _watch(self, gateway: str, watched: _Watched) -> None:
        first: str | None = None
        while True:
            process = await self._look(gateway)
            first = first or process
            if process is not None and process != first:
                # Who asks from now on asks the new one.
                self._forget(gateway, watched)
                watched.replaced.set()
                return
            await asyncio.sleep(INTERVAL_S)

    def _forget(self, gateway: str, watched: _Watched) -> None:
        if self._watched.get(gateway) is watched:
            del self._watched[gateway]


class _Watched:
    """A gateway, how many ask it, and whether it was replaced."""

    def __init__(self) -> None:
        self.asked = 0
        self.replaced = asyncio.Event()
        self.task: asyncio.Task[None] | None = None
