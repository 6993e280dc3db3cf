"""What devices are to be given, as the KV buckets have it."""

from __future__ import annotations

import structlog
from pydantic import ValidationError

from flownexus_runtime.live_tags import LiveTags
from flownexus_schemas import subjects
from flownexus_schemas.bootstrap.configuration import BootstrapConfiguration, BootstrapProfile, Chosen, choose
from flownexus_schemas.errors import InvalidName

log = structlog.get_logger(__name__)


class Configurations:
    """Change as the buckets do; of an entry that cannot be read, the former one stays in force."""

    def __init__(self, tags: LiveTags) -> None:
        self._tags = tags
        self._own: dict[str, BootstrapConfiguration] = {}
        self._profiles: dict[str, BootstrapProfile] = {}

    def of(self, endpoint: str) -> Chosen | None:
        """What this endpoint is given; None where nobody said."""
        return choose(self._own, self._profiles, endpoint, self._tags.of(endpoint))

    def apply_own(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket of endpoints' own configurations."""
        try:
            endpoint = subjects.endpoint_of_key(key)
            if value is None:
                self._own.pop(endpoint, None)
            else:
                self._own[endpoint] = BootstrapConfiguration.model_validate_json(value)
        except (InvalidName, ValidationError) as error:
            _log_unreadable(key, revision, error)

    def apply_profile(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the bucket of profiles."""
        if value is None:
            self._profiles.pop(key, None)
            return
        try:
            self._profiles[key] = BootstrapProfile.model_validate_json(value)
        except ValidationError as error:
            _log_unreadable(key, revision, error)


def _log_unreadable(key: str, revision: int, error: InvalidName | ValidationError) -> None:
    reason = str(error)
    if isinstance(error, ValidationError):
        # Without the input: it may hold a key.
        reason = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
    log.error("bootstrap_configuration.unreadable", key=key, revision=revision, error=reason)
