"""Whether a service says that it is ready."""

from __future__ import annotations

from typing import NamedTuple

import httpx


class Readiness(NamedTuple):
    """The answer of /readyz, and what is not there yet in words."""

    ready: bool
    missing: str


def readiness(health_url: str, timeout_s: float = 2.0) -> Readiness:
    """Ask /readyz once. Never raises: a service that does not answer is not ready."""
    try:
        response = httpx.get(f"{health_url}/readyz", timeout=timeout_s, trust_env=False)
    except httpx.HTTPError as error:
        return Readiness(False, f"no answer ({type(error).__name__})")
    if response.status_code == httpx.codes.OK:
        return Readiness(True, "")
    try:
        checks: dict[str, bool] = response.json()["checks"]
    except (ValueError, KeyError, TypeError):
        return Readiness(False, f"HTTP {response.status_code}")
    return Readiness(False, "waits for " + ", ".join(name for name, holds in checks.items() if not holds))
