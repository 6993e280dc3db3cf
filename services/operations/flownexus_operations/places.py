"""How many requests are begun at a time, and that none of them holds the others back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HELD_S = 2.0
"""A request that takes longer waits for a slow or silent device, and makes room for others meanwhile."""


class Places:
    """`count` requests are begun at a time. What bounds those under way is that an endpoint has one."""

    def __init__(self, count: int, held_s: float = HELD_S) -> None:
        self._free, self._held_s = asyncio.Semaphore(count), held_s

    @asynccontextmanager
    async def one(self) -> AsyncIterator[None]:
        """Wait for a place; it is given back at the end, or after `held_s` seconds."""
        await self._free.acquire()
        given_back = asyncio.get_running_loop().create_future()
        given_back.add_done_callback(lambda _: self._free.release())
        timer = asyncio.get_running_loop().call_later(self._held_s, given_back.set_result, None)
        try:
            yield
        finally:
            timer.cancel()
            if not given_back.done():
                given_back.set_result(None)
