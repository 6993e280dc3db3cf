"""Tags of endpoints: what people call groups of devices. KV bucket, one key an endpoint, `subjects.endpoint_key`.

An endpoint may have tags before it first registers.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from flownexus_schemas.cloudevent import Frozen

Tag = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:=-]{0,63}$", examples=["greenhouse"])]
MAX_TAGS = 50
"""Of one endpoint."""


class EndpointTags(Frozen):
    """The tags of one endpoint, sorted, each once."""

    tags: tuple[Tag, ...] = Field(default=(), max_length=MAX_TAGS, description="Sorted, each once.")

    @field_validator("tags")
    @classmethod
    def _sorted(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(set(tags)))
