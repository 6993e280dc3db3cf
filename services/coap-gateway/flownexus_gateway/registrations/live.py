"""A registration as the gateway holds it in memory: what is stored, and what is known only here."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.events import Address, HeardBy, Registration
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.object_model import version_key
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.queue_mode import is_awake
from flownexus_schemas.registrations import Observation, StoredRegistration

EXCHANGE_LIFETIME_S = 247.0
"""For so long a Register with the same bytes may be a retransmission. RFC 7252, 4.8.2."""

MAX_TRANSMIT_SPAN_S = 45.0
"""The last retransmission of a Register comes no later after its first. RFC 7252, 4.8.2."""

ANSWER_UNDERWAY_S = 1.0
"""For so long after our answer, a retransmission that crossed it may still come."""

AFTER_END_S = 5.0
"""An answer that crossed the Register that ended a registration comes within this. A device that restarted knows
nothing of what it was asked before, and would be waited for over a minute, at a port where it is no more.
"""


@dataclass(slots=True, eq=False)
class LiveRegistration:
    """One endpoint's registration. Times in Unix seconds.

    `revision` is that of its KV entry. `seen_after_answer` is whether anything came from the device since our answer
    to its Register. `is_claimed` is whether the device spoke to this gateway and the entry does not say so yet.
    `told_at` is when the bus was last told that the device is there. `noted` are the marks of its values that were
    logged. `is_over`: the device registered anew, deregistered or was not heard in time; `request_limit` bounds the
    request under way then.
    """

    stored: StoredRegistration
    peer: Peer
    revision: int
    answered_at: float = 0.0
    seen_after_answer: bool = False
    is_claimed: bool = False
    heard_at: float = 0.0
    told_at: float = 0.0
    request_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    tokens: set[bytes] = field(default_factory=set)
    sign_of_life: asyncio.Event | None = None
    is_over: bool = False
    request_limit: asyncio.Timeout | None = None
    noted: set[Mark] = field(default_factory=set)
    versions: dict[int, str] = field(init=False)
    objects: tuple[Path, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.told_at = self.stored.last_seen_at
        self._read_links()

    @property
    def endpoint(self) -> str:
        return self.stored.endpoint

    @property
    def registration(self) -> Registration:
        return self.stored.registration

    @property
    def id(self) -> str:
        return self.stored.registration.registration_id

    @property
    def lwm2m_version(self) -> tuple[int, int]:
        """Major and minor, as stated at registration."""
        return version_key(self.registration.lwm2m_version) or (1, 0)

    @property
    def expires_at(self) -> float:
        return self.stored.last_seen_at + self.registration.lifetime_s

    @property
    def object_ids(self) -> frozenset[int]:
        """The objects that it lists."""
        return frozenset(path.object_id for path in self.objects if path.object_id is not None)

    def is_retransmitted(self, fingerprint: str, now: float) -> bool:
        """Whether a Register of this fingerprint is the one that made this registration, sent again.

        A device that reboots sends the same message id and token from the same port (Zephyr), so equal bytes are not
        enough. After an Update, which names the location that we answered, it is the Register of a reboot. Before, a
        device may answer our requests and notify although our answer was lost; it sends Register again for
        MAX_TRANSMIT_SPAN at most.
        """
        age = now - self.stored.registered_at
        if fingerprint != self.stored.register_fingerprint or age > EXCHANGE_LIFETIME_S:
            return False
        if self.stored.last_seen_at > self.stored.registered_at:
            return not self.has_gone_on(now)
        return age <= MAX_TRANSMIT_SPAN_S or not self.seen_after_answer

    def has_gone_on(self, now: float) -> bool:
        """Whether the device sent anything since our answer, and no retransmission crosses that any more."""
        return self.seen_after_answer and now - self.answered_at >= ANSWER_UNDERWAY_S

    def may_be(self, peer: Peer) -> bool:
        """Whether the peer may speak for the device: over DTLS only who has authenticated as this endpoint, over plain
        CoAP anybody, as nobody can tell.
        """
        return peer.endpoint == (None if self.registration.identity is None else self.endpoint)

    def update(self, registration: Registration, now: float) -> None:
        """Take over the registration after an Update."""
        self.stored = self.stored.model_copy(update={"registration": registration, "last_seen_at": now})
        self.showed_life(now)
        self.told_at = now
        self._read_links()

    def move(self, peer: Peer, gateway_id: str) -> None:
        """The device spoke from another address, or to another gateway than before."""
        self.peer, self.is_claimed = peer, True
        self._place(self.registration, peer, gateway_id)

    def follow(self, stored: StoredRegistration, peer: Peer, revision: int) -> None:
        """Take over what another gateway stored of the same registration."""
        if stored.last_seen_at > self.stored.last_seen_at or stored.registration.gateway != self.registration.gateway:
            self.stirred()
        self.stored, self.peer, self.revision, self.is_claimed = stored, peer, revision, False
        self.seen_after_answer |= stored.is_observed or stored.last_seen_at > stored.registered_at
        self._read_links()

    def claim(self, stored: StoredRegistration, revision: int) -> None:
        """The same for what the device said before it spoke to us: the address and the gateway are ours, the
        registration that of the later Update, all else is theirs.
        """
        own, gateway_id = self.stored, self.registration.gateway
        self.stored, self.revision = stored, revision
        later = own if own.last_seen_at > stored.last_seen_at else stored
        self.stored = stored.model_copy(update={"last_seen_at": later.last_seen_at})
        self._place(later.registration, self.peer, gateway_id)
        self._read_links()

    def observe(self, observations: tuple[Observation, ...]) -> None:
        """Replace the list of observations."""
        self.stored = self.stored.model_copy(update={"observations": observations})

    def learn_format(self, use: str, content_format: int) -> None:
        """Remember the Content-Format that the device took."""
        self.stored = self.stored.model_copy(update={"formats": {**self.stored.formats, use: content_format}})

    def is_awake(self, now: float) -> bool:
        """Whether the device listens: always, or in queue mode for a window after it was last heard."""
        last_heard, stated = max(self.stored.last_seen_at, self.heard_at), self.registration
        return is_awake(now, last_heard, queue_mode=stated.queue_mode, awake_window_s=stated.awake_window_s)

    def is_reached_asleep(self, now: float) -> bool:
        """Whether it sleeps, and answers all the same, by its profile."""
        return self.registration.answers_asleep_within_s is not None and not self.is_awake(now)

    def listens_as(self, listening: dict[str, object]) -> None:
        """Take over what its profile says of when it listens."""
        registration = self.registration.model_copy(update=listening)
        self.stored = self.stored.model_copy(update={"registration": registration})

    def showed_life(self, now: float) -> None:
        """The device sent something; whoever waits for that goes on."""
        self.heard_at = now
        self.stirred()

    def end(self) -> None:
        """It is no more: what the device was asked in it has a moment left to be answered."""
        self.is_over = True
        self.bound_request()
        self.stirred()

    def bound_request(self) -> None:
        """Give the request under way AFTER_END_S from now, where this is over."""
        if self.is_over and self.request_limit is not None:
            self.request_limit.reschedule(asyncio.get_running_loop().time() + AFTER_END_S)

    def stirred(self) -> None:
        """The device spoke, here or elsewhere, or is registered no more: whoever waits for that goes on."""
        if self.sign_of_life is not None:
            self.sign_of_life.set()
            self.sign_of_life = None

    def next_sign_of_life(self) -> asyncio.Event:
        """Set when the device next sends something."""
        self.sign_of_life = self.sign_of_life or asyncio.Event()
        return self.sign_of_life

    def profile_waits(self, waits: bool) -> None:
        """Whether the profile is still to be applied."""
        self.stored = self.stored.model_copy(update={"profile_waits": waits})

    def wrote_attributes(self, path: str, attributes: dict[str, float]) -> None:
        """Remember the notification attributes that the device took for a path."""
        rest = {other: kept for other, kept in self.stored.written_attributes.items() if other != path}
        written = {**rest, path: attributes} if attributes else rest
        self.stored = self.stored.model_copy(update={"written_attributes": written})

    def _place(self, registration: Registration, peer: Peer, gateway_id: str) -> None:
        place = {
            "address": Address(host=peer.host, port=peer.port),
            "identity": peer.identity,
            "gateway": gateway_id,
        }
        self.stored = self.stored.model_copy(update={"registration": registration.model_copy(update=place)})

    def _read_links(self) -> None:
        self.versions = {int(object_id): version for object_id, version in self.registration.object_versions.items()}
        self.objects = tuple(Path.parse(link) for link in self.registration.object_links)


OnHeard = Callable[[LiveRegistration, HeardBy, float], None]
"""Told that something came from a device that no event tells of, by which way, and when."""


def showed_life(live: LiveRegistration, _: HeardBy, now: float) -> None:
    """What is done at the least."""
    live.showed_life(now)
