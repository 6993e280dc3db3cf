"""What a rollout is asked for with."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from flownexus_api.selection import Selection
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.firmware.update import Method, Scheme
from flownexus_schemas.firmware.window import Install
from flownexus_schemas.rollouts.rollout import (
    DAY_S,
    MAX_DEVICES,
    MAX_GROUPS,
    MAX_IN_FLIGHT,
    AfterGroup,
    OnHalt,
    Watch,
)

FIRMWARE_ID = r"^[0-9a-f]{16}$"


class GroupRequest(BaseModel):
    """A group: so many percent of all devices, or so many devices, or, without either, all that are left.

    Each group takes its devices from those that the groups before it left.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    percent: float | None = Field(default=None, gt=0, le=100, description="Of all devices, rounded up.")
    devices: int | None = Field(default=None, ge=1, le=MAX_DEVICES)
    select: Selection | None = Field(default=None, description="Only devices that meet this.")
    succeeded_percent: float = Field(
        default=90, ge=0, le=100, description="So many of the group must have succeeded before the next begins."
    )
    failed_percent: float = Field(
        default=10, ge=0, le=100, description="More failed ones than that halt the rollout; 100: never."
    )
    then: AfterGroup = Field(default=AfterGroup.NEXT, description="What follows once enough succeeded.")

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.percent is not None and self.devices is not None:
            raise ValueError("say percent or devices of a group, not both")
        if self.select is not None and not (self.select.endpoints or self.select.objects or self.select.tags):
            raise ValueError("select: name endpoints, objects or tags, or leave it out")
        return self


DEFAULT_GROUPS = (GroupRequest(percent=5), GroupRequest(percent=25), GroupRequest())
"""A few, some, all the others."""


class RolloutSettings(BaseModel):
    """How devices are updated, and when a rollout stops by itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")
    in_flight: int = Field(default=50, ge=1, le=MAX_IN_FLIGHT, description="The most updates under way at a time.")
    method: Method = Method.AUTO
    scheme: Scheme = Scheme.AUTO
    install: Install = Install()
    watch: Watch = Watch()
    on_halt: OnHalt = Field(
        default=OnHalt.RECALL, description="What becomes of updates under way when it halts by itself."
    )
    give_up_after_s: int | None = Field(
        default=None,
        ge=60,
        le=365 * DAY_S,
        description="An update that takes longer counts as failed, and is taken back where it can be; null: never.",
    )
    starts_at: AwareDatetime | None = Field(default=None, description="No update is asked for before.")
    paused: bool = Field(default=False, description="Made paused: it begins once it is resumed.")
    dry_run: bool = Field(default=False, description="Say what would be done, and make nothing.")

    def check_start(self, now: datetime) -> None:
        """Raises InvalidRequest where its time is past."""
        if self.starts_at is not None and self.starts_at <= now:
            raise InvalidRequest(
                f"starts_at: it is past; it is {now:%Y-%m-%dT%H:%M:%SZ} here. Leave it out to begin now."
            )

    def wish(self) -> str:
        """A digest of all that is asked for."""
        return hashlib.blake2b(self.model_dump_json(exclude={"dry_run"}).encode(), digest_size=16).hexdigest()


class RolloutRequest(RolloutSettings):
    """An image to many devices, group after group."""

    firmware: str = Field(pattern=FIRMWARE_ID, description="Id of the image.")
    select: Selection
    percent: float = Field(
        default=100, gt=0, le=100, description="Only so many of those that are selected and can be updated."
    )
    groups: tuple[GroupRequest, ...] = Field(default=DEFAULT_GROUPS, min_length=1, max_length=MAX_GROUPS)


class RollbackRequest(RolloutSettings):
    """Devices that a rollout updated get back what they had, or `firmware`."""

    firmware: str | None = Field(
        default=None,
        pattern=FIRMWARE_ID,
        description="Id of the image that all get; null: each the image of the version that it had.",
    )
    groups: tuple[GroupRequest, ...] = Field(default=(GroupRequest(),), min_length=1, max_length=MAX_GROUPS)
