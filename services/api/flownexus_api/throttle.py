"""Slowing down guesses of a password: how long the next try waits. ASVS 5.0, 6.1.1 and 6.3.1.

Counted for an account at a network, for a network, and for an account; who logged in to the account from the network
before is held by the first alone, so that strangers cannot lock somebody out from where they work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from enum import StrEnum
from ipaddress import ip_network
from typing import NamedTuple

MAX_DELAY_S = 60.0
FORGET_AFTER_S = 900.0
IPV6_PREFIX = 64
"""What one subscriber has; single addresses of it cost nothing."""


class Counted(StrEnum):
    """What wrong passwords are counted for."""

    ACCOUNT_AT_NETWORK = "account at network"
    NETWORK = "network"
    ACCOUNT = "account"


FREE_FAILURES: Mapping[Counted, int] = {Counted.ACCOUNT_AT_NETWORK: 5, Counted.NETWORK: 20, Counted.ACCOUNT: 50}
"""Wrong passwords that cost nothing; each further one doubles the wait: 1, 2, 4 ... 60 seconds."""


class Failures(NamedTuple):
    """Wrong passwords in a row, the last of them `ago_s` seconds ago."""

    times: int
    ago_s: float


def wait_s(failures: Mapping[Counted, Failures], *, is_known: bool) -> float:
    """Seconds until the next try; 0 if at once. `is_known`: the user logged in from this network before."""
    counts = [Counted.ACCOUNT_AT_NETWORK] if is_known else list(Counted)
    return max(_wait_s(kind, failures[kind]) if kind in failures else 0.0 for kind in counts)


def _wait_s(kind: Counted, failures: Failures) -> float:
    over = failures.times - FREE_FAILURES[kind]
    if over < 0 or failures.ago_s > FORGET_AFTER_S:
        return 0.0
    return max(0.0, min(MAX_DELAY_S, 2.0 ** min(over, 10)) - failures.ago_s)


def network_of(address: str) -> str:
    """What a source counts as: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        network = ip_network(address)
    except ValueError:
        return address
    return str(network.supernet(new_prefix=IPV6_PREFIX) if network.version == 6 else network.network_address)


def keys_of(name: str, network: str) -> dict[Counted, str]:
    """The keys of the counts; names are hashed, as people type passwords into the wrong field."""
    hashed = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return {Counted.ACCOUNT_AT_NETWORK: f"{hashed} {network}", Counted.NETWORK: network, Counted.ACCOUNT: hashed}
