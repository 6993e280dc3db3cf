"""What a service counts."""

from __future__ import annotations

import re

import httpx


def metric_at(health_url: str, name: str) -> float:
    """The sum of a metric of a service over its labels, or that with the labels that are in the name."""
    text = httpx.get(f"{health_url}/metrics", trust_env=False).text
    return sum(float(value) for value in re.findall(rf"^{re.escape(name)}(?:{{.*}})? (\S+)$", text, re.MULTILINE))
