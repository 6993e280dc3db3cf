"""All live registrations in memory, by endpoint, by id, by peer, and their observations by token."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from flownexus_gateway import metrics
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.transport.peer import Peer
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.registrations import Observation

MAX_ENDED = 100_000
"""Endpoints without a registration whose last revision is remembered."""


@dataclass(slots=True, eq=False)
class KnownToken:
    """An observation as the hot path needs it. `answered`: the device answered the request, so what comes now are
    notifications; before, it is the answer.
    """

    live: LiveRegistration
    observation: Observation
    base_path: Path
    answered: bool


class RegistrationTable:
    """Changed only by the registrar, the observer and the KV watch of this gateway."""

    def __init__(self) -> None:
        self._by_endpoint: dict[str, LiveRegistration] = {}
        self._by_id: dict[str, LiveRegistration] = {}
        self._by_key: dict[Hashable, LiveRegistration] = {}
        self.tokens: dict[bytes, KnownToken] = {}
        self._ended: dict[str, int] = {}

    def __iter__(self) -> Iterator[LiveRegistration]:
        return iter(list(self._by_endpoint.values()))

    def __len__(self) -> int:
        return len(self._by_endpoint)

    def of_endpoint(self, endpoint: str) -> LiveRegistration | None:
        return self._by_endpoint.get(endpoint)

    def identity_of(self, endpoint: str) -> str | None:
        """What a registered endpoint authenticated with; None over plain CoAP, and where it is not registered."""
        live = self._by_endpoint.get(endpoint)
        return None if live is None else live.registration.identity

    def of_id(self, registration_id: str) -> LiveRegistration | None:
        return self._by_id.get(registration_id)

    def of_peer(self, peer: Peer) -> LiveRegistration | None:
        """The registration of a peer that names none: of its endpoint where DTLS authenticated that, else the one last
        seen at its address; None where another client is there since.
        """
        return self._by_key.get(peer.registration_key)

    def put(self, live: LiveRegistration) -> None:
        """Add a registration, in place of the endpoint's former one."""
        former = self._by_endpoint.get(live.endpoint)
        if former is not None and former is not live:
            self._forget(former)
        self._ended.pop(live.endpoint, None)
        self._by_endpoint[live.endpoint] = live
        self._by_id[live.id] = live
        self._by_key[live.peer.registration_key] = live
        self.set_tokens(live)
        self._count()

    def remove(self, live: LiveRegistration) -> None:
        """Take a registration out."""
        if self._by_endpoint.get(live.endpoint) is live:
            del self._by_endpoint[live.endpoint]
            self.ended(live.endpoint, live.revision)
        self._forget(live)
        self._count()

    def set_tokens(self, live: LiveRegistration) -> None:
        """Bring the tokens of a registration in line with its list of observations."""
        wanted = {bytes.fromhex(observation.token): observation for observation in live.stored.observations}
        for token in live.tokens - wanted.keys():
            self.tokens.pop(token, None)
        live.tokens = set(wanted)
        for token, observation in wanted.items():
            known = self.tokens.get(token)
            base = Path() if observation.composite else Path.parse(observation.paths[0])
            answered = observation.established or (known is not None and known.answered)
            self.tokens[token] = KnownToken(live, observation, base, answered)

    def moved(self, live: LiveRegistration, former: Hashable) -> None:
        """Follow a registration whose peer changed; `former` is the key of the one before."""
        if self._by_key.get(former) is live:
            del self._by_key[former]
        self._by_key[live.peer.registration_key] = live

    def ended(self, endpoint: str, revision: int) -> None:
        """Remember the revision at which an endpoint's last registration ended."""
        self._ended[endpoint] = max(revision, self._ended.pop(endpoint, 0))
        if len(self._ended) > MAX_ENDED:
            del self._ended[next(iter(self._ended))]

    def generation(self, endpoint: str) -> int:
        """A number that is another one at each registration of an endpoint, and the same until it is stored."""
        live = self._by_endpoint.get(endpoint)
        return live.revision if live is not None else self._ended.get(endpoint, 0)

    def _forget(self, live: LiveRegistration) -> None:
        if self._by_id.get(live.id) is live:
            del self._by_id[live.id]
        if self._by_key.get(live.peer.registration_key) is live:
            del self._by_key[live.peer.registration_key]
        for token in live.tokens:
            known = self.tokens.get(token)
            if known is not None and known.live is live:
                del self.tokens[token]
        live.tokens = set()
        live.end()

    def _count(self) -> None:
        metrics.REGISTRATIONS.set(len(self._by_endpoint))
        metrics.OBSERVATIONS.set(len(self.tokens))
