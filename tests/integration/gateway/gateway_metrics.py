"""What a gateway counts."""

from __future__ import annotations

import re

import httpx

from harness.services import ServiceProcess


def metric(gateway: ServiceProcess, name: str) -> float:
    """The sum of a metric over its labels."""
    text = httpx.get(f"{gateway.health_url}/metrics", trust_env=False).text
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{.*}})? (\S+)$", text, re.MULTILINE))
