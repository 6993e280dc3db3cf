"""The observation profiles in force, as the KV bucket has them."""

from __future__ import annotations

from collections.abc import Collection

import structlog
from pydantic import ValidationError

from flownexus_schemas.profiles import ObservationProfile, choose

log = structlog.get_logger(__name__)


class Profiles:
    """Changes as the bucket does; of a profile that cannot be read, the former one stays in force."""

    def __init__(self) -> None:
        self._profiles: dict[str, ObservationProfile] = {}

    def of(self, endpoint: str, objects: Collection[int]) -> ObservationProfile:
        """The profile for a device of this name that lists these objects."""
        return choose(self._profiles, endpoint, objects)

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket."""
        if value is None:
            self._profiles.pop(key, None)
            return
        try:
            self._profiles[key] = ObservationProfile.model_validate_json(value)
        except ValidationError as error:
            log.error("profile.invalid", key=key, revision=revision, error=str(error))
