"""One device of a rollout: as it is planned, and as it stands."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from pydantic import AwareDatetime, Field

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.rollouts.rollout import ID, MAX_GROUPS, RolloutImage


class DeviceStatus(StrEnum):
    """Where a device of a rollout stands.

    WAITING: its update is not asked for. UPDATING: it is under way. RECALLED: under way, and being taken back. WATCHED:
    updated, and looked after. SUCCEEDED, FAILED, CANCELLED: so it ended. QUIET: updated, and not heard any more.
    REBOOTING: updated, and registers more often than before. LEFT_OUT: it is not to be updated.
    """

    WAITING = "WAITING"
    UPDATING = "UPDATING"
    RECALLED = "RECALLED"
    WATCHED = "WATCHED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    QUIET = "QUIET"
    REBOOTING = "REBOOTING"
    LEFT_OUT = "LEFT_OUT"


IN_FLIGHT = frozenset({DeviceStatus.UPDATING, DeviceStatus.RECALLED})
BAD = frozenset({DeviceStatus.FAILED, DeviceStatus.QUIET, DeviceStatus.REBOOTING})
"""What counts as failed for its group."""

UPDATED = frozenset({DeviceStatus.WATCHED, DeviceStatus.SUCCEEDED, DeviceStatus.QUIET, DeviceStatus.REBOOTING})
"""It has the image of the rollout."""

UNSETTLED = IN_FLIGHT | {DeviceStatus.WATCHED}
"""Something becomes of it by itself."""


class Recall(StrEnum):
    """Why an update under way is taken back, which says what the device is after it."""

    HALT = "halt"
    STOP = "stop"
    TIME = "time"


class PlannedDevice(Frozen):
    """A device that a rollout is to update."""

    endpoint: str
    image: int = Field(default=0, ge=0, description="Which of the plan's images it gets.")
    registrations: int = Field(
        default=0, ge=0, description="How often it registered in as much time as it is watched, before the plan."
    )
    origin_under_way: bool = Field(
        default=False, description="Whether the rollout that is taken back was updating it: what came of that decides."
    )


class LeftOut(Frozen):
    """Devices that were chosen and are not updated, for one reason."""

    reason: str
    endpoints: tuple[str, ...]


class RolloutPlan(Frozen):
    """Which devices a rollout updates, in which groups and order. It is made with the rollout and never changes."""

    rollout: str = Field(pattern=ID)
    images: tuple[RolloutImage, ...] = Field(min_length=1)
    groups: tuple[tuple[PlannedDevice, ...], ...] = Field(min_length=1, max_length=MAX_GROUPS)
    left_out: tuple[LeftOut, ...] = ()


class RolloutDevice(Frozen):
    """How a device of a rollout stands."""

    rollout: str = Field(pattern=ID)
    endpoint: str
    group: int = Field(ge=1, description="The first is 1.")
    image: RolloutImage
    status: DeviceStatus = DeviceStatus.WAITING
    attempt: int = Field(default=0, ge=0, description="How often its update was asked for.")
    update: str | None = Field(default=None, description="Id of the last one.")
    begun_at: AwareDatetime | None = Field(default=None, description="When that was asked for.")
    updated_at: AwareDatetime | None = Field(default=None, description="When that succeeded.")
    ended_at: AwareDatetime | None = Field(default=None, description="When the device came to what it is.")
    recall: Recall | None = None
    version_before: str | None = None
    last_action: str = Field(default="It waits for its group.", description="What happened last, as a sentence.")


def update_id(rollout: str, endpoint: str, attempt: int) -> str:
    """The id of the update that a rollout asks for: always the same one, so that asking again asks for nothing new."""
    return hashlib.blake2b(f"{rollout}\0{endpoint}\0{attempt}".encode(), digest_size=16).hexdigest()


def planned(plan: RolloutPlan) -> dict[str, RolloutDevice]:
    """Each device as it is before anything happened, by its name, in the order of the plan."""
    return {
        device.endpoint: RolloutDevice(
            rollout=plan.rollout, endpoint=device.endpoint, group=number, image=plan.images[device.image]
        )
        for number, group in enumerate(plan.groups, 1)
        for device in group
    }
