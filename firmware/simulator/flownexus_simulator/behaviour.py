"""How a simulated device behaves."""

from __future__ import annotations

from dataclasses import dataclass, field

from flownexus_simulator.faults import FirmwareBehaviour


@dataclass(frozen=True, slots=True)
class Behaviour:
    """`interval_s`: seconds between measurements. `every_observation`: each measurement notifies every observation,
    otherwise one after the other. `awake_window_s`: seconds that a queue-mode device listens after it sent.
    """

    interval_s: float
    every_observation: bool = True
    lifetime_s: int = 300
    confirmable: bool = True
    queue_mode: bool = False
    awake_window_s: float = 93.0
    firmware: FirmwareBehaviour = field(default_factory=FirmwareBehaviour)
