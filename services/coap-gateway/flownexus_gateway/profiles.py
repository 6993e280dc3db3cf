"""The observation profiles in force, as the KV bucket has them."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from pydantic import ValidationError

from flownexus_runtime.live_tags import LiveTags
from flownexus_schemas.profiles import ObservationProfile, choose

log = structlog.get_logger(__name__)


class Profiles:
    """Changes as the bucket does; of a profile that cannot be read, the former one stays in force.

    `revision` is the last one of the bucket that was taken over; `tags` are those of endpoints, by which some choose.
    """

    def __init__(self) -> None:
        self._profiles: dict[str, ObservationProfile] = {}
        self.tags = LiveTags()
        self.revision = 0

    def of(self, endpoint: str, objects: Collection[int]) -> ObservationProfile:
        """The profile for a device of this name that lists these objects."""
        return self.named(endpoint, objects)[1]

    def named(self, endpoint: str, objects: Collection[int]) -> tuple[str, ObservationProfile]:
        """The same, with the profile's name."""
        return choose(self._profiles, endpoint, objects, self.tags.of(endpoint))

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket."""
        self.revision = max(self.revision, revision)
        if value is None:
            self._profiles.pop(key, None)
            log.info("profile.removed", key=key, revision=revision)
            return
        try:
            self._profiles[key] = ObservationProfile.model_validate_json(value)
        except ValidationError as error:
            log.error("profile.invalid", key=key, revision=revision, error=str(error))
            return
        log.info("profile.changed", key=key, revision=revision)
