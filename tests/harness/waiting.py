"""Waiting for a condition, with a deadline, in place of a sleep of a guessed length."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
INTERVAL_S = 0.05


async def until(
    predicate: Callable[[], T | Awaitable[T | None] | None], timeout_s: float = 10, what: str = "the condition"
) -> T:
    """The first true result of `predicate`, plain or async. AssertionError after `timeout_s`, with the last result."""
    deadline = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        result: T | None = await answer if inspect.isawaitable(answer) else answer
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about within {timeout_s} s; the last result was {result!r}")
        await asyncio.sleep(INTERVAL_S)


def blocking_until(predicate: Callable[[], T | None], timeout_s: float = 10, what: str = "the condition") -> T:
    """The same, outside an event loop."""
    deadline = time.monotonic() + timeout_s
    while True:
        result = predicate()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about within {timeout_s} s; the last result was {result!r}")
        time.sleep(INTERVAL_S)
