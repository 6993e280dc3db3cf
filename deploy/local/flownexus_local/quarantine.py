"""How much waits in the quarantine of a running system, from the metrics of ingest."""

from __future__ import annotations

from typing import NamedTuple

import httpx
from prometheus_client.parser import text_string_to_metric_families

UNDECODED, DEAD_LETTERS = "flownexus_ingest_undecoded_waiting", "flownexus_ingest_dead_letters_kept"
MOST_COUNTED = 10_000
"""ingest counts undecoded reports no further."""


class Quarantine(NamedTuple):
    """Reports that could not be decoded, and messages that could not be processed."""

    undecoded: int
    dead_letters: int


def quarantine(health_url: str, timeout_s: float = 2.0) -> Quarantine | None:
    """Ask ingest's /metrics once. None where it does not answer or has no such metrics; never raises."""
    try:
        response = httpx.get(f"{health_url}/metrics", timeout=timeout_s, trust_env=False).raise_for_status()
        found = {
            sample.name: int(sample.value)
            for family in text_string_to_metric_families(response.text)
            for sample in family.samples
            if sample.name in {UNDECODED, DEAD_LETTERS}
        }
        return Quarantine(found[UNDECODED], found[DEAD_LETTERS])
    except (httpx.HTTPError, ValueError, KeyError):
        return None
