"""Calls something when it wants to be called, on the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Alarm:
    """`due` says when, in seconds of `clock`, or None; `ring` is called then, or a little later, never earlier."""

    def __init__(
        self, due: Callable[[], float | None], ring: Callable[[float], None], clock: Callable[[], float]
    ) -> None:
        self._due, self._ring, self._clock = due, ring, clock
        self._timer: asyncio.TimerHandle | None = None
        self._armed: float | None = None

    def arm(self) -> None:
        """See to it that it rings when it is due; again after each change."""
        due = self._due()
        if due is None or (self._armed is not None and self._armed <= due):
            return
        self.cancel()
        self._armed = due
        self._timer = asyncio.get_running_loop().call_later(max(0.0, due - self._clock()), self._wake)

    def cancel(self) -> None:
        """Ring no more, unless it is armed again."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._armed = None

    def _wake(self) -> None:
        self._timer = self._armed = None
        now = self._clock()
        due = self._due()
        if due is not None and due <= now:
            self._ring(now)
        self.arm()
