"""What the events of one batch change about one endpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from flownexus_ingest.known_wake_ups import Manner, Sign, manner_of
from flownexus_schemas.events import Deregistration, Registration


@dataclass(slots=True)
class EndpointChange:
    """The sum of an endpoint's events, in the order of the stream.

    `registration` is None where the batch has none: then `ended` are the registrations that ended, and the row's own
    registration ends if it is among them. A late end of a registration that another one replaced changes nothing.
    `signs` are what the device sent by itself.
    """

    first_seen_at: datetime
    last_sequence: int
    last_seen_at: datetime | None = None
    registration: Registration | None = None
    expires_at: datetime | None = None
    registered_at: datetime | None = None
    registered: bool = False
    ended: list[str] = field(default_factory=list)
    signs: list[Sign] = field(default_factory=list)
    spoke_at: datetime | None = None
    overdue_since: datetime | None = None

    def seen(self, at: datetime) -> None:
        """A message of the device came."""
        if self.last_seen_at is None or at > self.last_seen_at:
            self.last_seen_at = at

    def spoke(self, at: datetime, manner: Manner | None = None) -> None:
        """The device sent something by itself."""
        self.seen(at)
        self.signs.append((at.timestamp(), manner))
        if self.spoke_at is None or at > self.spoke_at:
            self.spoke_at = at

    def register(self, registration: Registration, at: datetime, expires_at: datetime) -> None:
        """It registered or updated its registration, which is now this."""
        self.registration, self.expires_at, self.registered = registration, expires_at, True
        self.ended.clear()
        self.spoke(at, manner_of(registration))

    def deregister(self, end: Deregistration) -> None:
        """A registration of it ended."""
        if self.registration is None:
            self.ended.append(end.registration_id)
        elif self.registration.registration_id == end.registration_id:
            self.registered = False
