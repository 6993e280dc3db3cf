"""Tags of endpoints as the KV bucket has them."""

from __future__ import annotations

import structlog
from pydantic import ValidationError

from flownexus_schemas import subjects
from flownexus_schemas.endpoint_tags import EndpointTags
from flownexus_schemas.errors import InvalidName

log = structlog.get_logger(__name__)


class LiveTags:
    """Changes as the bucket does; of an entry that cannot be read, the former one stays. `revision`: the last one."""

    def __init__(self) -> None:
        self._tags: dict[str, tuple[str, ...]] = {}
        self._revisions: dict[str, int] = {}
        self.revision = 0

    def of(self, endpoint: str) -> tuple[str, ...]:
        """The tags of an endpoint, sorted."""
        return self._tags.get(endpoint, ())

    def with_all(self, wanted: frozenset[str]) -> list[str]:
        """The endpoints that have each of these tags."""
        return [endpoint for endpoint, tags in self._tags.items() if wanted.issubset(tags)]

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket, unless a newer one of it was."""
        self.revision = max(self.revision, revision)
        if revision < self._revisions.get(key, 0):
            return
        try:
            endpoint = subjects.endpoint_of_key(key)
            tags = () if value is None else EndpointTags.model_validate_json(value).tags
        except (InvalidName, ValidationError) as error:
            log.error("endpoint_tags.invalid", key=key, revision=revision, error=str(error))
            return
        self._revisions[key] = revision
        if tags:
            self._tags[endpoint] = tags
        else:
            self._tags.pop(endpoint, None)
