"""Who of the replicas that are alive cares for which endpoint.

It only spreads the work: that nothing is sent twice is seen to by the sequences that each transition names. An
endpoint belongs to the replica with the highest digest of both names (rendezvous hashing), so one that comes or goes
moves no more than its own share.
"""

from __future__ import annotations

from hashlib import blake2b

INTERVAL_S = 1.0
"""Between two signs of life."""

GONE_AFTER_S = 4.0
"""Without a sign of life for so long a replica counts as dead."""


class Replicas:
    """`now` is any clock that only goes on, in seconds."""

    def __init__(self, own: str) -> None:
        self.own = own
        self._last: dict[str, float] = {}

    def heard(self, replica: str, now: float) -> bool:
        """A sign of life; whether it is of a new one."""
        is_new = replica != self.own and replica not in self._last
        if replica != self.own:
            self._last[replica] = now
        return is_new

    def gone(self, replica: str) -> bool:
        """It said goodbye; whether it was known."""
        return self._last.pop(replica, None) is not None

    def forget_dead(self, now: float) -> bool:
        """Whether one died since."""
        dead = [replica for replica, last in self._last.items() if now - last > GONE_AFTER_S]
        for replica in dead:
            del self._last[replica]
        return bool(dead)

    def is_alive(self, replica: str) -> bool:
        return replica == self.own or replica in self._last

    @property
    def alive(self) -> int:
        """How many there are, this one counted."""
        return 1 + len(self._last)

    def is_ours(self, endpoint: str) -> bool:
        """Whether this replica cares for the endpoint."""
        own = _weight(self.own, endpoint)
        return all(_weight(other, endpoint) < own for other in self._last)


def _weight(replica: str, endpoint: str) -> tuple[bytes, str]:
    return blake2b(f"{replica}\0{endpoint}".encode(), digest_size=8).digest(), replica
