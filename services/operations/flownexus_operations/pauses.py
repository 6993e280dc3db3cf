"""Gateways that are away are looked for again after growing pauses."""

from __future__ import annotations

FIRST_S = 0.5
LONGEST_S = 15.0


class Pauses:
    """Times in any seconds that only go on."""

    def __init__(self) -> None:
        self._paused: dict[str, tuple[float, float]] = {}

    def until(self, gateway: str, now: float) -> float | None:
        """When the gateway may be asked again; None for at once."""
        until = self._paused.get(gateway, (0.0, 0.0))[0]
        return until if until > now else None

    def is_away(self, gateway: str) -> bool:
        """Whether it took nothing when it was last asked."""
        return gateway in self._paused

    def failed(self, gateway: str, now: float) -> None:
        """It took nothing."""
        pause = min(2 * self._paused.get(gateway, (0.0, FIRST_S / 2))[1], LONGEST_S)
        self._paused[gateway] = (now + pause, pause)

    def worked(self, gateway: str) -> None:
        """It took something."""
        self._paused.pop(gateway, None)
