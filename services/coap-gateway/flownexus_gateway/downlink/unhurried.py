"""When a request to a device that sleeps is sent again. RFC 7252, 4.8.1, leaves the times to the application."""

from __future__ import annotations

from collections.abc import Callable

from aiocoap.numbers.constants import TransportTuning


class Unhurried(TransportTuning):
    """Once, half-way through `wait_s` seconds at the earliest, until `is_awake`; from then on as usual.

    What the network keeps for a device that listens once in a cycle of eDRX reaches it all at once, and there are
    clients that carry out each copy (Zephyr).
    """

    def __init__(self, wait_s: float, is_awake: Callable[[], bool]) -> None:
        self._wait_s, self._is_awake = wait_s, is_awake

    @property
    def ACK_TIMEOUT(self) -> float:  # type: ignore[override]  # noqa: N802 - the name is aiocoap's
        """Seconds until it is first sent again."""
        return TransportTuning.ACK_TIMEOUT if self._is_awake() else self._wait_s / 2
