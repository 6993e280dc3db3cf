"""Slowing down guesses of a password."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

FREE_FAILURES = 5
MAX_DELAY_S = 60.0
FORGET_AFTER_S = 900.0
MAX_REMEMBERED = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last_at: float


class LoginThrottle:
    """After five failures for one name from one address, each further try waits: 1, 2, 4 ... 60 seconds.

    Times in seconds of any monotonic clock. Kept in this process: a restart forgets, and so do 15 quiet minutes.
    """

    def __init__(self) -> None:
        self._failures: OrderedDict[tuple[str, str], _Failures] = OrderedDict()

    def wait_s(self, name: str, address: str, now: float) -> float:
        """Seconds until this name may be tried again from this address; 0 if at once."""
        failures = self._failures.get((name, address))
        if failures is None or failures.count < FREE_FAILURES or now - failures.last_at > FORGET_AFTER_S:
            return 0.0
        delay = min(MAX_DELAY_S, 2.0 ** min(failures.count - FREE_FAILURES, 10))
        return max(0.0, failures.last_at + delay - now)

    def failed(self, name: str, address: str, now: float) -> None:
        """Count a failure."""
        before = self._failures.pop((name, address), None)
        fresh = before is None or now - before.last_at > FORGET_AFTER_S
        self._failures[name, address] = _Failures(1 if fresh or before is None else before.count + 1, now)
        while len(self._failures) > MAX_REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, name: str, address: str) -> None:
        """Forget the failures of this name from this address."""
        self._failures.pop((name, address), None)
