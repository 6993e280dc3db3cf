"""What an update needs to know of the registrations: whether it is another one, by DTLS, and when it was heard."""

from __future__ import annotations

from pydantic import ValidationError

from flownexus_operations.firmware.facts import Registered
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.errors import InvalidName
from flownexus_schemas.registrations import StoredRegistration


class Registrations:
    """Follows the registrations bucket."""

    def __init__(self) -> None:
        self._by_endpoint: dict[str, tuple[int, bool, float]] = {}

    def apply(self, key: str, value: bytes | None) -> str | None:
        """Take over an entry; the endpoint. None where it cannot be read, which is told elsewhere."""
        try:
            endpoint = subjects.endpoint_of_key(key)
            stored = None if value is None else StoredRegistration.model_validate_json(value)
        except (InvalidName, ValidationError):
            return None
        if stored is None:
            self._by_endpoint.pop(endpoint, None)
        else:
            secure = stored.registration.identity is not None
            self._by_endpoint[endpoint] = (stored.generation, secure, stored.last_seen_at)
        return endpoint

    def of(self, endpoint: str) -> Registered | None:
        """The registration of an endpoint."""
        known = self._by_endpoint.get(endpoint)
        if known is None:
            return None
        generation, secure, heard_at = known
        return Registered(generation, secure, utc(heard_at))
