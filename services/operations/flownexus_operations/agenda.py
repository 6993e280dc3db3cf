"""When which endpoint is to be looked at again. Times in Unix seconds."""

from __future__ import annotations

import heapq


class Agenda:
    """Of one endpoint only the earliest time counts: whoever looks then says when to look next."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, str]] = []
        self._earliest: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._earliest)

    def at(self, when: float, endpoint: str) -> None:
        """Look at the endpoint then, or before where that is noted already."""
        known = self._earliest.get(endpoint)
        if known is None or when < known:
            self._earliest[endpoint] = when
            heapq.heappush(self._heap, (when, endpoint))

    def due(self, now: float) -> list[str]:
        """The endpoints whose time has come; they are noted no more."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            when, endpoint = heapq.heappop(self._heap)
            if self._earliest.get(endpoint) == when:
                del self._earliest[endpoint]
                found.append(endpoint)
        return found
