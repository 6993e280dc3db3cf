"""A rollout with its devices, as their messages have it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from flownexus_schemas.rollouts.device import IN_FLIGHT, UNSETTLED, RolloutDevice, RolloutPlan, planned
from flownexus_schemas.rollouts.rollout import Rollout, RolloutGroup
from flownexus_schemas.rollouts.thresholds import Tally, tally


@dataclass(slots=True)
class Standing:
    """All that is known of one rollout. `devices`: by name, in the order in which they are updated."""

    rollout: Rollout
    plan: RolloutPlan
    devices: dict[str, RolloutDevice] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.devices = planned(self.plan) | self.devices

    @property
    def groups(self) -> Iterator[tuple[int, RolloutGroup]]:
        """With their numbers, the first is 1."""
        return enumerate(self.rollout.groups, 1)

    def tally(self, group: int) -> Tally:
        """How the devices of a group stand."""
        of_group = (self.devices[one.endpoint] for one in self.plan.groups[group - 1])
        return tally(of_group, self.rollout.accepted_until)

    @property
    def in_flight(self) -> int:
        """How many updates are under way."""
        return sum(device.status in IN_FLIGHT for device in self.devices.values())

    @property
    def is_settled(self) -> bool:
        """Whether nothing becomes of any device by itself."""
        return not any(device.status in UNSETTLED for device in self.devices.values())
