"""How an endpoint stands to its profile: asked, and put right, on `lwm2m.gateway.<gateway id>.profile`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import CommandFailure

Standing = Literal["in-force", "differs", "under-way", "asleep", "no-answer"]


class AskProfile(Frozen):
    """Which profile is in force for an endpoint, and whether what it is observed for follows it.

    With `apply` the gateway brings it in line: at once, or where the device is asleep at its next sign of life. It
    answers within `timeout_s` seconds whatever it got to. Both revisions are those of the buckets that the gateway must
    know before.
    """

    endpoint: str
    apply: bool = False
    timeout_s: float = Field(default=0.0, ge=0, le=600)
    profiles_revision: int = 0
    tags_revision: int = 0


class ProfileStanding(Frozen):
    """The profile in force, what was done, and what still differs. Paths of one observation are joined by a comma."""

    endpoint: str
    profile: str = Field(description="Its name.")
    state: Standing = Field(
        description="in-force: the device is observed as it says. differs: it was not applied since it changed, "
        "or the device refused a part of it. under-way: being applied. asleep, no-answer: applied at the device's next "
        "sign of life."
    )
    observed: tuple[str, ...] = Field(default=(), description="Observed now, and not before.")
    refused: tuple[str, ...] = Field(default=(), description="Asked for, and not observed.")
    cancelled: tuple[str, ...] = Field(default=(), description="Observed no more.")
    changed: tuple[str, ...] = Field(default=(), description="Observed as before, with other attributes or event type.")
    differences: tuple[str, ...] = Field(
        default=(), description="Observations that are to begin, to end or to change, where it is not in force."
    )


standing_adapter: TypeAdapter[ProfileStanding | CommandFailure] = TypeAdapter(
    Annotated[ProfileStanding | CommandFailure, Field(union_mode="left_to_right")]
)
