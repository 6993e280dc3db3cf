"""How many requests are begun at a time, and that none of them holds the others back."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

HELD_S = 2.0
"""A request that takes longer waits for a slow or silent device, and makes room for others meanwhile."""

MAX_SLOW = 100_000
"""Endpoints of which is remembered that they are slow."""


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


class PlacesByPace:
    """`count` places each for devices that sleep, for those that were slow the last time, and for all others."""

    def __init__(self, count: int, held_s: float = HELD_S) -> None:
        self._held_s = held_s
        self._quick, self._slow, self._asleep = (Places(count, held_s) for _ in range(3))
        self._slow_ones: OrderedDict[str, None] = OrderedDict()

    def of(self, endpoint: str, *, asleep: bool) -> Places:
        """Where a request to the endpoint waits for its place."""
        if asleep:
            return self._asleep
        return self._slow if endpoint in self._slow_ones else self._quick

    def took(self, endpoint: str, seconds: float) -> None:
        """So long it was until the endpoint answered, or was given up."""
        self._slow_ones.pop(endpoint, None)
        if seconds < self._held_s:
            return
        self._slow_ones[endpoint] = None
        if len(self._slow_ones) > MAX_SLOW:
            self._slow_ones.popitem(last=False)
