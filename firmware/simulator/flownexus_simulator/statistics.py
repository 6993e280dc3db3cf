"""What a fleet did: counts, and how long acknowledgements took."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from flownexus_simulator.ledger import Outcome
from flownexus_simulator.registering import Kind

MAX_LATENCIES = 1_000_000


@dataclass(slots=True)
class Statistics:
    """Counts over the whole fleet.

    Latencies are seconds from the first transmission to the acknowledgement, of the newest million.
    """

    registrations: int = 0
    updates: int = 0
    deregistrations: int = 0
    refusals: int = 0
    requests: int = 0
    notifications: int = 0
    acknowledged: int = 0
    unconfirmed: int = 0
    timed_out: int = 0
    reset: int = 0
    dropped: int = 0
    unfinished: int = 0
    retransmissions: int = 0
    handshakes: int = 0
    refused_handshakes: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=MAX_LATENCIES))

    def count(self, outcome: Outcome) -> None:
        """The fate of one notification is known."""
        setattr(self, outcome, getattr(self, outcome) + 1)

    def answered(self, kind: Kind, *, accepted: bool) -> None:
        """The server answered a request of a device."""
        if not accepted:
            self.refusals += 1
        elif kind is Kind.REGISTER:
            self.registrations += 1
        elif kind is Kind.UPDATE:
            self.updates += 1
        else:
            self.deregistrations += 1

    def summary(self, devices: int, registered: int, elapsed_s: float) -> dict[str, object]:
        """The figures as JSON; latencies in milliseconds."""
        ordered = sorted(self.latencies)
        return {
            "devices": devices,
            "registered": registered,
            "registrations": self.registrations,
            "updates": self.updates,
            "deregistrations": self.deregistrations,
            "refusals": self.refusals,
            "requests_answered": self.requests,
            "notifications": self.notifications,
            "acknowledged": self.acknowledged,
            "unconfirmed": self.unconfirmed,
            "timed_out": self.timed_out,
            "reset": self.reset,
            "dropped": self.dropped,
            "unfinished": self.unfinished,
            "retransmissions": self.retransmissions,
            "handshakes": self.handshakes,
            "refused_handshakes": self.refused_handshakes,
            "ack_ms": {f"p{share}": _percentile(ordered, share) for share in (50, 95, 99)},
            "elapsed_s": round(elapsed_s, 3),
        }


def _percentile(ordered: list[float], share: int) -> float | None:
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, len(ordered) * share // 100)] * 1000, 3)
