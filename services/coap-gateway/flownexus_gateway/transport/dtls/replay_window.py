"""Which records of an epoch came already. Sans-IO. RFC 6347, 4.1.2.6."""

from __future__ import annotations

WINDOW = 64
"""Records behind the newest one that may come late."""

_MASK = (1 << WINDOW) - 1


class ReplayWindow:
    """`newest` is the highest sequence number that was taken, -1 before any; bit n of `seen` is `newest` - n."""

    __slots__ = ("newest", "seen")

    def __init__(self, newest: int = -1, seen: int = 0) -> None:
        self.newest, self.seen = newest, seen

    def may_be_new(self, sequence: int) -> bool:
        """Whether it did not come yet, as far as that is known: what is behind the window counts as known."""
        behind = self.newest - sequence
        return behind < 0 or (behind < WINDOW and not self.seen >> behind & 1)

    def take(self, sequence: int) -> bool:
        """Note an authenticated record; whether it is newer than all before."""
        behind = self.newest - sequence
        if behind >= 0:
            self.seen |= 1 << behind
            return False
        self.seen = (self.seen << -behind | 1) & _MASK if -behind < WINDOW else 1
        self.newest = sequence
        return True
