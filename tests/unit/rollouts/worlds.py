"""A rollout, its updates and its devices in the hands of a test, which plays what carries the steps out."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from flownexus_operations.rollouts.decision import AskCancel, AskUpdate, DeviceStep, Facts, RolloutStep, Step, decide
from flownexus_operations.rollouts.standing import Standing
from flownexus_operations.rollouts.watching import Signs
from flownexus_schemas.firmware.update import FirmwareUpdate, UpdateStatus
from flownexus_schemas.rollouts.device import IN_FLIGHT, DeviceStatus, PlannedDevice, RolloutDevice, RolloutPlan
from flownexus_schemas.rollouts.device_lifecycle import DeviceHappening, apply_to_device
from flownexus_schemas.rollouts.lifecycle import Happening, apply
from flownexus_schemas.rollouts.rollout import Rollout, RolloutGroup, RolloutImage, RolloutStatus, Watch

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
IMAGE = RolloutImage(id="0b" * 8, name="thermometer", version="2.0", size=1000, sha256="ab" * 32)
UNWATCHED = Watch(seconds=0)


def rollout(*groups: RolloutGroup, **changes: Any) -> Rollout:
    values: dict[str, Any] = {
        "id": "r1",
        "name": "thermometers",
        "image": IMAGE,
        "groups": groups,
        "watch": UNWATCHED,
        "requested_at": NOW,
    }
    return Rollout(**values | changes)


def plan(sizes: list[int], **changes: Any) -> RolloutPlan:
    """Devices `1-1`, `1-2`, ... of the first group, and so on."""
    groups = tuple(
        tuple(PlannedDevice(endpoint=f"{group}-{number}", **changes) for number in range(1, size + 1))
        for group, size in enumerate(sizes, 1)
    )
    return RolloutPlan(rollout="r1", images=(IMAGE,), groups=groups)


@dataclass
class World:
    """`turn` carries out what is decided, once; `settle` until nothing is to be done."""

    standing: Standing
    now: datetime = NOW
    updates: dict[str, FirmwareUpdate] = field(default_factory=dict)
    signs: dict[str, Signs] = field(default_factory=dict)
    busy: set[str] = field(default_factory=set)
    origins: dict[str, DeviceStatus] = field(default_factory=dict)
    happened: list[Happening | DeviceHappening] = field(default_factory=list)

    @classmethod
    def of(cls, *groups: RolloutGroup, changes: dict[str, Any] | None = None, **planned: Any) -> World:
        one = rollout(*groups, **changes or {})
        return cls(Standing(one, plan([group.size for group in groups], **planned)))

    @property
    def rollout(self) -> Rollout:
        return self.standing.rollout

    @property
    def status(self) -> RolloutStatus:
        return self.standing.rollout.status

    def device(self, endpoint: str) -> RolloutDevice:
        return self.standing.devices[endpoint]

    def those(self, *statuses: DeviceStatus) -> list[str]:
        return [name for name, device in self.standing.devices.items() if device.status in statuses]

    def begun(self) -> list[str]:
        """Devices whose update is under way."""
        return self.those(*IN_FLIGHT)

    def facts(self) -> Facts:
        asked = {device.update for device in self.standing.devices.values() if device.update is not None}
        return Facts({one: self.updates.get(one) for one in asked}, self.signs, self.busy, self.origins)

    def decided(self) -> list[Step]:
        return list(decide(self.standing, self.facts(), self.now))

    def carry_out(self, step: Step) -> None:
        match step:
            case RolloutStep(happening=happening):
                self.happen(happening)
            case DeviceStep(endpoint=endpoint, happening=of_device):
                self.happened.append(of_device)
                self.standing.put(apply_to_device(self.device(endpoint), of_device, self.now))
            case AskUpdate(endpoint=endpoint):
                device = self.device(endpoint)
                assert device.update is not None
                assert device.update not in self.updates
                self.updates[device.update] = update_of(device, self.now)
            case AskCancel(endpoint=endpoint):
                self.change(endpoint, UpdateStatus.CANCELLING)

    def happen(self, happening: Happening) -> None:
        self.standing.rollout = apply(self.rollout, happening, self.now)
        self.happened.append(happening)

    def settle(self, most: int = 1000) -> None:
        for _ in range(most):
            steps = self.decided()
            if not steps:
                return
            for step in steps:
                self.carry_out(step)
        raise AssertionError(f"there is always more to do: {steps}")

    def change(self, endpoint: str, status: UpdateStatus) -> None:
        """The update of the device comes to this."""
        name = self.device(endpoint).update
        assert name is not None
        ended = self.now if status in {UpdateStatus.SUCCEEDED, UpdateStatus.FAILED, UpdateStatus.CANCELLED} else None
        changes = {
            "status": status,
            "finished_at": ended,
            "last_action": f"It {status.lower()}.",
            "version_before": "1.0",
        }
        self.updates[name] = self.updates[name].model_copy(update=changes)

    def end(self, status: UpdateStatus, *endpoints: str) -> None:
        """The updates of these devices end so, and what follows is done."""
        for endpoint in endpoints:
            self.change(endpoint, status)
            self.signs.setdefault(endpoint, Signs(self.now, 60))
        self.settle()

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def heard(self, endpoint: str, *, registered: bool = False) -> None:
        signs = self.signs[endpoint]
        registrations = (*signs.registrations, self.now) if registered else signs.registrations
        self.signs[endpoint] = replace(signs, last_heard=self.now, registrations=registrations)


def update_of(device: RolloutDevice, now: datetime) -> FirmwareUpdate:
    image = device.image
    assert device.update is not None
    return FirmwareUpdate(
        id=device.update,
        endpoint=device.endpoint,
        firmware=image.id,
        name=image.name,
        version=image.version,
        size=image.size,
        sha256=image.sha256,
        requested_at=now,
        rollout=device.rollout,
    )
