"""How much waits in the quarantine of a running system, from the metrics of ingest."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_local.scrape import scrape

UNDECODED, DEAD_LETTERS = "flownexus_ingest_undecoded_waiting", "flownexus_ingest_dead_letters_kept"
MOST_COUNTED = 10_000
"""ingest counts undecoded reports no further."""


class Quarantine(NamedTuple):
    """Reports that could not be decoded, and messages that could not be processed."""

    undecoded: int
    dead_letters: int


def quarantine(health_url: str) -> Quarantine | None:
    """Ask ingest's /metrics once. None where it does not answer or has no such metrics; never raises."""
    found = scrape(health_url, (UNDECODED, DEAD_LETTERS))
    return None if found is None else Quarantine(found[UNDECODED], found[DEAD_LETTERS])
