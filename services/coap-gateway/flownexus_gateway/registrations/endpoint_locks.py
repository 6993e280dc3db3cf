"""One change of an endpoint at a time."""

from __future__ import annotations

import asyncio


class Locked:
    """Holds the lock of an endpoint, which is there only while it is wanted."""

    def __init__(self, locks: dict[str, tuple[asyncio.Lock, int]], endpoint: str) -> None:
        self._locks, self._endpoint = locks, endpoint

    async def __aenter__(self) -> None:
        lock, wanted = self._locks.get(self._endpoint, (asyncio.Lock(), 0))
        self._locks[self._endpoint] = (lock, wanted + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._release(None)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._release(self._locks[self._endpoint][0])

    def _release(self, held: asyncio.Lock | None) -> None:
        lock, wanted = self._locks[self._endpoint]
        if held is not None:
            held.release()
        if wanted == 1:
            del self._locks[self._endpoint]
        else:
            self._locks[self._endpoint] = (lock, wanted - 1)
