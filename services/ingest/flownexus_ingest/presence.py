"""How long gateways have been there without a break: what was not there could hear no device."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_GAP_S = 15.0
"""A gateway that restarts is away for a second or two, and devices send again for longer."""


class Presence:
    """Times in any seconds that only go on."""

    def __init__(self) -> None:
        self._there: dict[str, tuple[float, float]] = {}

    def seen(self, gateways: Iterable[str], now: float) -> None:
        """These answered."""
        for gateway in gateways:
            since, last = self._there.get(gateway, (now, now))
            self._there[gateway] = (since if now - last <= LONGEST_GAP_S else now, now)

    def there_for(self, gateway: str, now: float) -> float:
        """Seconds; 0 for one that is not there."""
        since, last = self._there.get(gateway, (now, now))
        return now - since if now - last <= LONGEST_GAP_S else 0.0
