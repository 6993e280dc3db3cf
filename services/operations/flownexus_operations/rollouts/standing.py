"""A rollout with its devices, as their messages have it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from flownexus_schemas.rollouts.device import IN_FLIGHT, UNSETTLED, DeviceStatus, RolloutDevice, RolloutPlan, planned
from flownexus_schemas.rollouts.rollout import Rollout, RolloutGroup
from flownexus_schemas.rollouts.thresholds import Tally, tally

_LOOKED_AFTER = UNSETTLED | {DeviceStatus.QUIET}


class Standing:
    """All that is known of one rollout; what is asked of all devices again and again is counted as they change.

    `active`: devices that something may become of by itself, by name.
    """

    def __init__(self, rollout: Rollout, plan: RolloutPlan, devices: Iterable[RolloutDevice] = ()) -> None:
        self.plan = plan
        self.registrations = {one.endpoint: one.registrations for group in plan.groups for one in group}
        self._rollout = rollout
        self._devices = planned(plan)
        self._devices.update({one.endpoint: one for one in devices if one.endpoint in self._devices})
        self._tallies: dict[int, Tally] = {}
        self._statuses = Counter(device.status for device in self._devices.values())
        self.active = {name: one for name, one in self._devices.items() if one.status in _LOOKED_AFTER}

    @property
    def rollout(self) -> Rollout:
        return self._rollout

    @rollout.setter
    def rollout(self, rollout: Rollout) -> None:
        self._rollout = rollout
        self._tallies.clear()

    @property
    def devices(self) -> Mapping[str, RolloutDevice]:
        """By name, in the order in which they are updated."""
        return self._devices

    def put(self, device: RolloutDevice) -> None:
        """A device as it is now; one that the plan lacks is none of it."""
        before = self._devices.get(device.endpoint)
        if before is None:
            return
        self._devices[device.endpoint] = device
        self._statuses[before.status] -= 1
        self._statuses[device.status] += 1
        self._tallies.pop(before.group, None)
        if device.status in _LOOKED_AFTER:
            self.active[device.endpoint] = device
        else:
            self.active.pop(device.endpoint, None)

    @property
    def groups(self) -> Iterator[tuple[int, RolloutGroup]]:
        """With their numbers, the first is 1."""
        return enumerate(self._rollout.groups, 1)

    def tally(self, group: int) -> Tally:
        """How the devices of a group stand."""
        if group not in self._tallies:
            of_group = (self._devices[one.endpoint] for one in self.plan.groups[group - 1])
            self._tallies[group] = tally(of_group, self._rollout.accepted_until)
        return self._tallies[group]

    def count(self, *statuses: DeviceStatus) -> int:
        """How many devices are in one of these."""
        return sum(self._statuses[status] for status in statuses)

    @property
    def in_flight(self) -> int:
        """How many updates are under way."""
        return self.count(*IN_FLIGHT)

    @property
    def is_settled(self) -> bool:
        """Whether nothing becomes of any device by itself."""
        return self.count(*UNSETTLED) == 0
