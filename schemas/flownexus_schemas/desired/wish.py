"""What resources should be: for one endpoint, or for all that a profile chooses. Two KV buckets.

DESIRED_VALUES has an entry an endpoint, key `subjects.endpoint_key`; it need not have registered yet. DESIRED_PROFILES
has the profiles by their names. Values carry the type that the object model had when they were declared.
"""

from __future__ import annotations

from typing import Self

from pydantic import Field, field_validator, model_validator

from flownexus_schemas.cloudevent import Frozen
from flownexus_schemas.commands import PathText, PathValue
from flownexus_schemas.endpoint_tags import MAX_TAGS, Tag
from flownexus_schemas.lwm2m.notification_attributes import AttributeName, check_values
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.profiles import AttributeValue, EndpointPattern, ObjectId

MAX_VALUES = 50
"""Of one endpoint's entry or one profile."""


class DesiredAttributes(Frozen):
    """Notification attributes that a path should have. LwM2M Core 1.1.1, 5.1.2."""

    path: PathText
    attributes: dict[AttributeName, AttributeValue | None] = Field(
        min_length=1, description="pmin, pmax, epmin and epmax in whole seconds; null: it should not be there."
    )

    @field_validator("path")
    @classmethod
    def _plain(cls, path: str) -> str:
        return str(Path.parse(path))

    @field_validator("attributes")
    @classmethod
    def _fit(cls, attributes: dict[AttributeName, float | None]) -> dict[AttributeName, float | None]:
        check_values(attributes)
        return attributes


class DesiredValues(Frozen):
    """What resources of an endpoint should be, each path once."""

    values: tuple[PathValue, ...] = Field(
        default=(), max_length=MAX_VALUES, examples=[[{"path": "1/0/1", "value": 600, "type": "integer"}]]
    )
    attributes: tuple[DesiredAttributes, ...] = Field(
        default=(), max_length=MAX_VALUES, examples=[[{"path": "3303", "attributes": {"pmin": 60}}]]
    )

    @field_validator("values")
    @classmethod
    def _plain(cls, values: tuple[PathValue, ...]) -> tuple[PathValue, ...]:
        return tuple(value.model_copy(update={"path": str(Path.parse(value.path))}) for value in values)

    @model_validator(mode="after")
    def _once(self) -> Self:
        for paths in (_paths(self.values), _paths(self.attributes)):
            if twice := [path for path in paths if paths.count(path) > 1]:
                raise ValueError(f"{twice[0]} is there twice")
        return self

    @property
    def paths(self) -> list[str]:
        """Every path that something is wished of."""
        return sorted({*_paths(self.values), *_paths(self.attributes)})


def _paths(given: tuple[PathValue | DesiredAttributes, ...]) -> list[str]:
    return [one.path for one in given]


class DesiredProfile(DesiredValues):
    """What resources of devices should be: of those that meet every choice; an empty one is met by all.

    A device may meet several. Resource by resource, and attribute by attribute, the profile of the highest priority
    counts, then the first by name; what is declared for the endpoint itself counts before all of them.
    """

    endpoints: tuple[EndpointPattern, ...] = Field(
        default=(), max_length=100, description="Endpoint names, `*` for any characters; one of them is enough."
    )
    objects: tuple[ObjectId, ...] = Field(
        default=(), max_length=100, description="Ids of objects, every one of which the device lists."
    )
    tags: tuple[Tag, ...] = Field(
        default=(), max_length=MAX_TAGS, description="Tags, every one of which the endpoint has."
    )
    priority: int = Field(default=0, description="Higher counts first where several have the same resource.")
