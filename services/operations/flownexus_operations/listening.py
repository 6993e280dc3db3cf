"""Which endpoints listen now, by their registrations and by what was heard of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import structlog
from pydantic import ValidationError

from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidName
from flownexus_schemas.lwm2m.queue_mode import Presence, Status
from flownexus_schemas.registrations import StoredRegistration

log = structlog.get_logger(__name__)

CLOCKS_S = 5.0
"""What the clocks of a gateway and of this machine may differ by: a registration seen so long ago, or ahead, is new."""

Heard = Callable[[str], None]
"""Told the endpoint of which something was heard."""


class Way(NamedTuple):
    """How an endpoint is reached now. `asleep_s`: seconds in which it answers although it sleeps; None: it listens."""

    gateway: str
    asleep_s: float | None = None


@dataclass(slots=True)
class Listener:
    """What is known of one endpoint. Times in Unix seconds; `silent_since` is when it last did not answer, or was asked
    in vain while it slept.
    """

    gateway: str
    generation: int
    queue_mode: bool
    awake_window_s: float
    answers_asleep_within_s: float | None
    lifetime_s: int
    registered_or_updated: float
    last_heard: float
    silent_since: float = 0.0

    def way(self, now: float) -> Way | None:
        """None where nothing reaches it before its next sign of life."""
        if self.last_heard <= self.silent_since:
            return None
        match self._status(now):
            case "online":
                return Way(self.gateway)
            case "asleep" if self.answers_asleep_within_s is not None:
                return Way(self.gateway, self.answers_asleep_within_s)
        return None

    def _status(self, now: float) -> Status:
        presence = Presence(
            registered=True,
            queue_mode=self.queue_mode,
            last_seen=self.last_heard,
            expires_at=self.registered_or_updated + self.lifetime_s,
            awake_window_s=self.awake_window_s,
        )
        return presence.status(now)


class Listeners:
    """Follows the registrations bucket and the signs of life; `on_heard` is told of each of these."""

    def __init__(self, on_heard: Heard, clock: Callable[[], float] = time.time) -> None:
        self._by_endpoint: dict[str, Listener] = {}
        self._on_heard, self._clock = on_heard, clock
        self.is_loaded = False
        """Whether what comes is new: before, it is what was stored, of whatever time."""

    def is_registered(self, endpoint: str) -> bool:
        """Whether a registration of it is stored."""
        return endpoint in self._by_endpoint

    def generation(self, endpoint: str) -> int | None:
        """Of its registration, another one each time that it registers; None where it is not registered."""
        listener = self._by_endpoint.get(endpoint)
        return None if listener is None else listener.generation

    def gateways(self) -> set[str]:
        """Those that hold a registration."""
        return {listener.gateway for listener in self._by_endpoint.values()}

    def way_to(self, endpoint: str, now: float, asked_at: float | None = None) -> Way | None:
        """How it is reached now; None where it is not.

        `asked_at`: when it was last asked the same and did not answer. A sleep has one attempt at most, so that three
        do not end while the device is out of reach; the stream knows of it after a restart too.
        """
        listener = self._by_endpoint.get(endpoint)
        way = None if listener is None else listener.way(now)
        if listener is None or way is None or way.asleep_s is None or asked_at is None:
            return way
        return way if listener.last_heard > asked_at else None

    def heard(self, endpoint: str, now: float) -> None:
        """Something came from it."""
        listener = self._by_endpoint.get(endpoint)
        if listener is not None:
            listener.last_heard = max(listener.last_heard, now)
            self._on_heard(endpoint)

    def heard_of(self, endpoint: str) -> tuple[float, int] | None:
        """When it was last heard, in Unix seconds, and its lifetime; None where it is not registered."""
        listener = self._by_endpoint.get(endpoint)
        return None if listener is None else (listener.last_heard, listener.lifetime_s)

    def silent(self, endpoint: str, since: float) -> None:
        """It did not answer: it is asked nothing before its next sign of life after `since`."""
        listener = self._by_endpoint.get(endpoint)
        if listener is not None:
            listener.silent_since = max(listener.silent_since, since)

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
        is_heard = known is None or stored.last_seen_at > known.registered_or_updated
        self._by_endpoint[endpoint] = Listener(
            gateway=registration.gateway,
            generation=stored.generation,
            queue_mode=registration.queue_mode,
            awake_window_s=registration.awake_window_s,
            answers_asleep_within_s=registration.answers_asleep_within_s,
            lifetime_s=registration.lifetime_s,
            registered_or_updated=stored.last_seen_at,
            last_heard=max(
                self._by_our_clock(stored.last_seen_at) if is_heard else 0.0,
                known.last_heard if known is not None else 0.0,
            ),
            silent_since=known.silent_since if known is not None else 0.0,
        )
        now_known = self._by_endpoint[endpoint]
        if (
            known is None
            or is_heard
            or (known.gateway, known.answers_asleep_within_s) != (now_known.gateway, now_known.answers_asleep_within_s)
        ):
            self._on_heard(endpoint)

    def _by_our_clock(self, seen_at: float) -> float:
        """Now, where the gateway saw it just now by its own clock: else a silence before could seem to come after."""
        now = self._clock()
        return now if self.is_loaded and abs(now - seen_at) < CLOCKS_S else seen_at
