"""Observation profiles: what a gateway observes and reads when a device registers. KV bucket, one key a profile.

Gateways read the bucket at each new registration, so a change is in force at the next one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase
from typing import Annotated, Protocol

from pydantic import Field, field_validator

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import Paths, PathText
from flownexus_schemas.endpoint_tags import Tag
from flownexus_schemas.lwm2m.notification_attributes import AttributeName, check_values
from flownexus_schemas.lwm2m.queue_mode import LONGEST_EDRX_S

DEFAULT_KEY = "default"

EndpointPattern = Annotated[str, Field(min_length=1, max_length=255, examples=["urn:imei:3564*"])]
ObjectId = Annotated[int, Field(ge=0, le=65535)]


AttributeValue = Annotated[float, Field(allow_inf_nan=False)]


class ObservationEntry(Frozen):
    """What every entry of a profile carries."""

    attributes: dict[AttributeName, AttributeValue] = Field(
        default_factory=dict,
        description="Notification attributes, written to each path before it is observed; those that the profile had "
        "before and has no longer are removed. pmin, pmax, epmin and epmax in whole seconds.",
        examples=[{"pmin": 10, "pmax": 60}],
    )
    format: int | None = Field(
        default=None, ge=0, le=65535, description="Content-Format to ask in; that of the profile if null."
    )

    @field_validator("attributes")
    @classmethod
    def _fit(cls, attributes: dict[AttributeName, float]) -> dict[AttributeName, float]:
        check_values(attributes)
        return attributes


class SingleObservation(ObservationEntry):
    """Observe one path, where the device lists its object."""

    path: PathText


class CompositeObservation(ObservationEntry):
    """Observe paths together, where the device lists at least one of their objects; each notification is one event."""

    paths: Paths
    event_type: str = Field(examples=["environment"])


class ObservationProfile(Frozen):
    """What to do at registration, and for which devices: those that meet every choice; an empty one is met by all."""

    endpoints: tuple[EndpointPattern, ...] = Field(
        default=(), max_length=100, description="Endpoint names, `*` for any characters; one of them is enough."
    )
    objects: tuple[ObjectId, ...] = Field(
        default=(), max_length=100, description="Ids of objects, every one of which the device lists."
    )
    tags: tuple[Tag, ...] = Field(default=(), max_length=50, description="Tags, every one of which the endpoint has.")
    priority: int = Field(default=0, description="The highest wins where a device meets the choices of several.")
    observe: tuple[SingleObservation, ...] = ()
    observe_composite: tuple[CompositeObservation, ...] = ()
    read_once: tuple[PathText, ...] = ()
    format: int | None = Field(
        default=None, ge=0, le=65535, description="Content-Format to ask and write in; chosen by the gateway if null."
    )
    awake_window_s: float = Field(default=93.0, gt=0, description="Seconds a queue-mode device listens after it sent.")
    answers_asleep_within_s: float | None = Field(
        default=None,
        gt=0,
        le=LONGEST_EDRX_S,
        description="Seconds within which a queue-mode device answers although it sleeps, as with eDRX: twice its "
        "cycle or more. Null: it is asked nothing while it sleeps.",
    )


def choose(
    profiles: Mapping[str, ObservationProfile], endpoint: str, objects: Collection[int], tags: Collection[str] = ()
) -> tuple[str, ObservationProfile]:
    """The profile, with its name, for a device of this name and these tags that lists these objects.

    Of those whose choices it meets, the one of the highest priority, then the first by name. Where it meets none, the
    one named `default`, whose own choices count for nothing, and DEFAULT_PROFILE where there is none.
    """
    met = [
        (-profile.priority, name)
        for name, profile in profiles.items()
        if name != DEFAULT_KEY and meets(profile, endpoint, objects, tags)
    ]
    name = min(met)[1] if met else DEFAULT_KEY
    return name, profiles.get(name, DEFAULT_PROFILE)


class Choice(Protocol):
    """Which endpoints are meant: all conditions count, an empty one is met by all."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Names, with `*` for any text."""

    @property
    def objects(self) -> tuple[int, ...]:
        """Each is listed."""

    @property
    def tags(self) -> tuple[str, ...]:
        """The endpoint has each."""


def meets(choice: Choice, endpoint: str, objects: Collection[int], tags: Collection[str]) -> bool:
    """Whether an endpoint of this name and these tags, which lists these objects, is meant."""
    named = not choice.endpoints or any(fnmatchcase(endpoint, pattern) for pattern in choice.endpoints)
    listed = all(object_id in objects for object_id in choice.objects)
    return named and listed and all(tag in tags for tag in choice.tags)


DEFAULT_PROFILE = ObservationProfile(
    observe=(SingleObservation(path="3303/0/5700"),),
    observe_composite=(CompositeObservation(paths=("10300",), event_type="environment"),),
    read_once=("3/0",),
)
