"""One rollout as it stands. Every message of its subject carries the whole of it, but for its devices."""

from __future__ import annotations

from enum import StrEnum

from pydantic import AwareDatetime, Field

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import ImageId
from flownexus_schemas.firmware.update import Method, Scheme
from flownexus_schemas.firmware.window import Install

ID = r"^[0-9A-Za-z_-]{1,64}$"
MAX_DEVICES = 10_000
MAX_GROUPS = 100
MAX_IN_FLIGHT = 1000
DAY_S = 86_400


class RolloutStatus(StrEnum):
    """Where a rollout stands. STOPPED and FINISHED are for good; HALTED is its own doing, PAUSED somebody's."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    HALTED = "HALTED"
    STOPPED = "STOPPED"
    FINISHED = "FINISHED"


class AfterGroup(StrEnum):
    """What follows once enough of a group succeeded."""

    NEXT = "next"
    PAUSE = "pause"


class OnHalt(StrEnum):
    """What becomes of updates under way when a rollout halts by itself."""

    RECALL = "recall"
    LEAVE = "leave"


class Watch(Frozen):
    """How an updated device is looked after before it counts as succeeded."""

    seconds: int = Field(default=3600, ge=0, le=30 * DAY_S, description="After its update; 0: it is not watched.")
    quiet_after_s: int | None = Field(
        default=None, ge=1, le=30 * DAY_S, description="Not heard for so long it is quiet; null: for its lifetime."
    )
    more_registrations: int | None = Field(
        default=2,
        ge=0,
        le=1000,
        description="So many new registrations more than in as many seconds before the rollout was made are taken for "
        "nothing; above that it reboots more than before. Null: they are not counted.",
    )


class RolloutGroup(Frozen):
    """Devices that are updated together. Percents are of its size, without those that a resume set aside."""

    size: int = Field(ge=1)
    succeeded_percent: float = Field(
        default=90, ge=0, le=100, description="So many must have succeeded before the next group begins."
    )
    failed_percent: float = Field(
        default=10,
        ge=0,
        le=100,
        description="More than that failed, quiet or rebooting halt the rollout; 100: never.",
    )
    then: AfterGroup = Field(default=AfterGroup.NEXT, description="What follows once enough succeeded.")
    begun_at: AwareDatetime | None = None
    paused_after_at: AwareDatetime | None = Field(default=None, description="When its `then` paused the rollout.")


class RolloutImage(Frozen):
    """An image that devices get."""

    id: ImageId
    name: str
    version: str
    size: int = Field(gt=0, description="Bytes.")
    sha256: str = Field(description="In hexadecimal.")


class Rollout(Frozen):
    """An image to many devices, in groups, each beginning when enough of the one before succeeded."""

    id: str = Field(pattern=ID)
    name: str
    image: RolloutImage | None = Field(description="Null where devices get back what they had, each its own.")
    groups: tuple[RolloutGroup, ...] = Field(min_length=1, max_length=MAX_GROUPS)
    in_flight: int = Field(default=50, ge=1, le=MAX_IN_FLIGHT, description="The most updates under way at a time.")
    method: Method = Method.AUTO
    scheme: Scheme = Scheme.AUTO
    install: Install = Install()
    watch: Watch = Watch()
    on_halt: OnHalt = OnHalt.RECALL
    give_up_after_s: int | None = Field(
        default=None,
        ge=60,
        description="An update that takes longer counts as failed, and is taken back where it can be.",
    )
    starts_at: AwareDatetime | None = Field(default=None, description="No update is asked for before.")
    rollback_of: str | None = Field(default=None, description="The rollout that this one takes back.")
    requested_at: AwareDatetime
    requested_by: str | None = None
    wish: str = Field(default="", description="Digest of the request: asked again, or for something else.")
    status: RolloutStatus = RolloutStatus.RUNNING
    accepted_until: AwareDatetime | None = Field(
        default=None,
        description="Devices that failed up to then count neither for nor against: a resume set them aside.",
    )
    finished_at: AwareDatetime | None = Field(default=None, description="From then on nothing changes any more.")
    last_action: str = Field(default="Requested.", description="What happened last, as a sentence.")

    @property
    def is_open(self) -> bool:
        """Whether anything can still become of it or of its devices."""
        return self.finished_at is None
