"""Observation profiles: what a gateway observes and reads when a device registers. KV bucket, one key a profile.

Gateways read the bucket at each new registration, so a change is in force at the next one.
"""

from __future__ import annotations

from pydantic import Field

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import Paths, PathText

DEFAULT_KEY = "default"


class SingleObservation(Frozen):
    """Observe one path, where the device lists its object."""

    path: PathText


class CompositeObservation(Frozen):
    """Observe paths together, where the device lists at least one of their objects; each notification is one event."""

    paths: Paths
    event_type: str = Field(examples=["environment"])


class ObservationProfile(Frozen):
    """What to do at registration."""

    observe: tuple[SingleObservation, ...] = ()
    observe_composite: tuple[CompositeObservation, ...] = ()
    read_once: tuple[PathText, ...] = ()
    format: int | None = Field(
        default=None, ge=0, le=65535, description="Content-Format to ask and write in; chosen by the gateway if null."
    )
    awake_window_s: float = Field(default=93.0, gt=0, description="Seconds a queue-mode device listens after it sent.")


DEFAULT_PROFILE = ObservationProfile(
    observe=(SingleObservation(path="3303/0/5700"),),
    observe_composite=(CompositeObservation(paths=("10300",), event_type="environment"),),
    read_once=("3/0",),
)
