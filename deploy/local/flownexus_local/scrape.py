"""Values from the /metrics of a running service."""

from __future__ import annotations

from collections.abc import Collection

import httpx
from prometheus_client.parser import text_string_to_metric_families


def scrape(health_url: str, names: Collection[str], timeout_s: float = 2.0) -> dict[str, int] | None:
    """Those metrics, asked for once. None where the service does not answer or lacks one of them; never raises."""
    try:
        response = httpx.get(f"{health_url}/metrics", timeout=timeout_s, trust_env=False).raise_for_status()
        found = {
            sample.name: int(sample.value)
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
            if sample.name in names
        }
    except (httpx.HTTPError, ValueError):
        return None
    return found if len(found) == len(names) else None
