"""The observation profile in force, as the KV bucket has it."""

from __future__ import annotations

import structlog
from pydantic import ValidationError

from flownexus_schemas.profiles import DEFAULT_KEY, DEFAULT_PROFILE, ObservationProfile

log = structlog.get_logger(__name__)


class Profiles:
    """Changes as the bucket does; what cannot be read leaves the former one in force."""

    def __init__(self) -> None:
        self.current: ObservationProfile = DEFAULT_PROFILE

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket."""
        if key != DEFAULT_KEY:
            return
        if value is None:
            self.current = DEFAULT_PROFILE
            return
        try:
            self.current = ObservationProfile.model_validate_json(value)
        except ValidationError as error:
            log.error("profile.invalid", key=key, revision=revision, error=str(error))
