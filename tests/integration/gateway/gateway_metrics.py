"""What a gateway counts."""

from __future__ import annotations

from harness.metrics import metric_at
from harness.services import ServiceProcess


def metric(gateway: ServiceProcess, name: str) -> float:
    """The sum of a metric over its labels."""
    return metric_at(gateway.health_url, name)
