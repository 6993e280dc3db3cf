"""Which device is in which group of a rollout. Pure: the same devices and wishes give the same groups."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from flownexus_api.rollout_requests import GroupRequest
from flownexus_api.selection import Choice
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.rollouts.thresholds import at_least


class Candidate(NamedTuple):
    """A device that can be updated."""

    endpoint: str
    links: Sequence[str]
    tags: Collection[str]


def mixed(candidates: Iterable[Candidate], seed: str) -> list[Candidate]:
    """In an order that is the same each time for the same `seed`, and that has nothing to do with their names.

    Devices of one site or one batch often have names in a row: a group of these would tell little of the others.
    """
    return sorted(candidates, key=lambda one: (_digest(seed, one.endpoint), one.endpoint))


def sample(candidates: Sequence[Candidate], percent: float) -> tuple[Sequence[Candidate], Sequence[Candidate]]:
    """The first so many percent, rounded up, and the others."""
    size = min(at_least(percent, len(candidates)), len(candidates))
    return candidates[:size], candidates[size:]


def grouped(
    candidates: Sequence[Candidate], groups: Sequence[GroupRequest]
) -> list[tuple[GroupRequest, list[Candidate]]]:
    """Each group with its devices, in the order of `candidates`; one that nothing is left for is left out.

    Raises InvalidRequest where devices are left that no group takes.
    """
    left = list(candidates)
    found: list[tuple[GroupRequest, list[Candidate]]] = []
    for group in groups:
        choice = None if group.select is None else Choice(group.select)
        able = [one for one in left if choice is None or choice.takes(one.endpoint, one.links, one.tags)]
        members = able[: _size(group, len(candidates), len(able))]
        if members:
            found.append((group, members))
            names = {one.endpoint for one in members}
            left = [one for one in left if one.endpoint not in names]
    if left:
        raise InvalidRequest(
            f"groups: they take {len(candidates) - len(left)} of {len(candidates)} devices; "
            "add {} for the others, or choose fewer with percent."
        )
    return found


def _size(group: GroupRequest, all_devices: int, able: int) -> int:
    if group.percent is not None:
        return min(at_least(group.percent, all_devices), able)
    return able if group.devices is None else min(group.devices, able)


def _digest(seed: str, endpoint: str) -> bytes:
    return hashlib.blake2b(f"{seed}\0{endpoint}".encode(), digest_size=8).digest()
