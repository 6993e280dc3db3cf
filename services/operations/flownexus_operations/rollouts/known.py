"""A rollout with its devices, filled by its messages in the order of the stream, and by what this replica appended."""

from __future__ import annotations

from flownexus_operations.rollouts.standing import Standing
from flownexus_schemas.rollouts.device import RolloutDevice, RolloutPlan
from flownexus_schemas.rollouts.messages import AnyRolloutEvent, RolloutChanged, RolloutDeviceChanged, RolloutPlanned
from flownexus_schemas.rollouts.rollout import Rollout


class Known:
    """The same message twice changes nothing.

    `last_sequence`: every message of the rollout and its devices up to there is known. What this replica appended on
    the sequence of one device alone does not move it: something else may have come before, and is read in its turn.
    `news` counts messages that others wrote.
    """

    def __init__(self) -> None:
        self.last_sequence = self.news = 0
        self._rollout: Rollout | None = None
        self._rollout_sequence = 0
        self._plan: RolloutPlan | None = None
        self._devices: dict[str, RolloutDevice] = {}
        self._sequences: dict[str, int] = {}
        self._standing: Standing | None = None

    @property
    def standing(self) -> Standing | None:
        """None before both the rollout and its plan are known."""
        if self._standing is None and self._rollout is not None and self._plan is not None:
            self._standing = Standing(self._rollout, self._plan, self._devices.values())
        return self._standing

    def sequence_of(self, endpoint: str) -> int:
        """Of the newest message of a device; 0 where nothing happened to it."""
        return self._sequences.get(endpoint, 0)

    def take(self, event: AnyRolloutEvent, sequence: int) -> None:
        """The next message of the stream."""
        is_news = True
        match event:
            case RolloutPlanned(data=plan):
                self._plan = plan
            case RolloutChanged(data=rollout):
                is_news = self.take_rollout(rollout, sequence)
            case RolloutDeviceChanged(data=device):
                is_news = self.take_device(device, sequence)
        self.news += is_news
        self.reached(sequence)

    def reached(self, sequence: int) -> None:
        """All is known up to here."""
        self.last_sequence = max(self.last_sequence, sequence)

    def take_rollout(self, rollout: Rollout, sequence: int) -> bool:
        """The rollout as it is from this message on; whether that is new."""
        if sequence <= self._rollout_sequence:
            return False
        self._rollout, self._rollout_sequence = rollout, sequence
        if self._standing is not None:
            self._standing.rollout = rollout
        return True

    def take_device(self, device: RolloutDevice, sequence: int) -> bool:
        """A device as it is from this message on; whether that is new."""
        if sequence <= self.sequence_of(device.endpoint):
            return False
        self._sequences[device.endpoint] = sequence
        self._devices[device.endpoint] = device
        if self._standing is not None:
            self._standing.put(device)
        return True
