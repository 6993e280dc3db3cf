"""Which endpoints listen now, by their registrations and by what was heard of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import structlog
from pydantic import ValidationError

from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidName
from flownexus_schemas.lwm2m.queue_mode import Presence
from flownexus_schemas.registrations import StoredRegistration

log = structlog.get_logger(__name__)

Heard = Callable[[str], None]
"""Told the endpoint of which something was heard."""


@dataclass(slots=True)
class Listener:
    """What is known of one endpoint. Times in Unix seconds; `silent_since` is when it last did not answer."""

    gateway: str
    queue_mode: bool
    awake_window_s: float
    lifetime_s: int
    registered_or_updated: float
    last_heard: float
    silent_since: float = 0.0

    def is_awake(self, now: float) -> bool:
        presence = Presence(
            registered=True,
            queue_mode=self.queue_mode,
            last_seen=self.last_heard,
            expires_at=self.registered_or_updated + self.lifetime_s,
            awake_window_s=self.awake_window_s,
        )
        return presence.status(now) == "online" and self.last_heard > self.silent_since


class Listeners:
    """Follows the registrations bucket and the signs of life; `on_heard` is told of each of these."""

    def __init__(self, on_heard: Heard) -> None:
        self._by_endpoint: dict[str, Listener] = {}
        self._on_heard = on_heard

    def gateway_of(self, endpoint: str, now: float) -> str | None:
        """The gateway through which an endpoint that listens is reached; None where it does not listen."""
        listener = self._by_endpoint.get(endpoint)
        return listener.gateway if listener is not None and listener.is_awake(now) else None

    def heard(self, endpoint: str, now: float) -> None:
        """Something came from it."""
        listener = self._by_endpoint.get(endpoint)
        if listener is not None:
            listener.last_heard = max(listener.last_heard, now)
            self._on_heard(endpoint)

    def silent(self, endpoint: str, now: float) -> None:
        """It did not answer: it is asked nothing before its next sign of life."""
        listener = self._by_endpoint.get(endpoint)
        if listener is not None:
            listener.silent_since = max(listener.silent_since, now)

    def apply(self, key: str, value: bytes | None, revision: int) -> None:
        """Take over an entry of the registrations bucket."""
        try:
            endpoint = subjects.endpoint_of_key(key)
            stored = None if value is None else StoredRegistration.model_validate_json(value)
        except (InvalidName, ValidationError) as error:
            log.error("registration.unreadable", key=key, revision=revision, error=str(error))
            return
        if stored is None:
            self._by_endpoint.pop(endpoint, None)
            return
        known = self._by_endpoint.get(endpoint)
        registration = stored.registration
        self._by_endpoint[endpoint] = Listener(
            gateway=registration.gateway,
            queue_mode=registration.queue_mode,
            awake_window_s=registration.awake_window_s,
            lifetime_s=registration.lifetime_s,
            registered_or_updated=stored.last_seen_at,
            last_heard=max(stored.last_seen_at, known.last_heard if known is not None else 0.0),
            silent_since=known.silent_since if known is not None else 0.0,
        )
        if known is None or stored.last_seen_at > known.registered_or_updated or registration.gateway != known.gateway:
            self._on_heard(endpoint)
