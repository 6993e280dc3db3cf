"""Turns at checking passwords, which costs memory and a core each time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import ParamSpec, TypeVar

from flownexus_schemas.errors import Unavailable

MAX_AT_ONCE = 2
"""Passwords checked at a time: each check takes 64 MiB and a thread."""

MAX_WAITING = 100

Given = ParamSpec("Given")
Answer = TypeVar("Answer")


class Turns:
    """Who comes when too many wait is told to come again, before they cost anything."""

    def __init__(self) -> None:
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)
        self._waiting = 0

    @contextlib.asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for a turn and have it. Raises Unavailable."""
        if self._waiting >= MAX_WAITING:
            raise Unavailable("Too many passwords are being checked; try again shortly.")
        self._waiting += 1
        try:
            async with self._at_once:
                yield
        finally:
            self._waiting -= 1

    async def run(self, work: Callable[Given, Answer], *given: Given.args, **named: Given.kwargs) -> Answer:
        """Do slow work in a thread, in a turn of its own."""
        async with self.turn():
            return await asyncio.to_thread(work, *given, **named)
