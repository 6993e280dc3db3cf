"""Why a rollout is to stop by itself. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from flownexus_operations.rollouts.standing import Standing
from flownexus_schemas.rollouts.device import BAD, RolloutDevice
from flownexus_schemas.rollouts.thresholds import is_set_aside

NAMED = 3
"""Devices that the reason names."""


def reason_to_halt(standing: Standing) -> str | None:
    """More of a group failed than it is allowed, or not enough of it can succeed any more for the next to begin."""
    rollout = standing.rollout
    for number, group in standing.groups:
        if group.begun_at is None:
            return None
        tally = standing.tally(number)
        if tally.fails(group):
            counted = f"{tally.bad} of {tally.base} devices of group {number} failed"
            return f"{counted}, more than {group.failed_percent:g} %: {_named(standing, number)}"
        is_next = number < len(rollout.groups) and rollout.groups[number].begun_at is None
        if is_next and tally.is_out_of_reach(group):
            can = f"at most {tally.succeeded + tally.open} of {tally.base} devices of group {number} can succeed"
            return f"{can}, and group {number + 1} waits for {tally.needed(group)}: {_named(standing, number)}"
    return None


def _named(standing: Standing, group: int) -> str:
    failed = list(_failed(standing, group))
    named = [f"{device.endpoint} ({device.last_action.rstrip('.')})" for device in failed[:NAMED]]
    if len(failed) > NAMED:
        named.append(f"and {len(failed) - NAMED} more")
    return ", ".join(named)


def _failed(standing: Standing, group: int) -> Iterator[RolloutDevice]:
    for planned in standing.plan.groups[group - 1]:
        device = standing.devices[planned.endpoint]
        if device.status in BAD and not is_set_aside(device.status, device.ended_at, standing.rollout.accepted_until):
            yield device
