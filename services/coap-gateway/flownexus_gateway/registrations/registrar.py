"""Register, Update, Deregister: parse, decide, publish, store, answer. LwM2M Core 1.1.1, 6.2.

The order of writes is event, KV, answer. A crash between two of them is mended by the device's retransmission, which
makes the same ids again; the event is then stored once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import structlog

from flownexus_gateway.observations.plan import planned_observations
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.publisher import Publisher
from flownexus_gateway.registrations.identifiers import digest, registration_id
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.statement import after_update, as_registered
from flownexus_gateway.registrations.store import RegistrationStore
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.request import Request
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.errors import NotFound, Unavailable
from flownexus_schemas.events import (
    Deregistration,
    DeregistrationReason,
    EndpointDeregistered,
    EndpointRegistered,
    EndpointUpdated,
)
from flownexus_schemas.lwm2m.registration import RegisterRequest, UpdateRequest
from flownexus_schemas.registrations import StoredRegistration

log = structlog.get_logger(__name__)

OnRegistered = Callable[[LiveRegistration], None]


class Registrar:
    """The life of registrations at one gateway."""

    def __init__(
        self,
        table: RegistrationTable,
        store: RegistrationStore,
        publisher: Publisher,
        profiles: Profiles,
        gateway_id: str,
    ) -> None:
        self._table, self._store, self._publisher, self._profiles = table, store, publisher, profiles
        self._gateway_id = gateway_id
        self._source = f"/gateway/{gateway_id}"
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}
        self._under_way: set[str] = set()
        self.on_registered: OnRegistered = _nothing
        self.on_repeated: OnRegistered = _nothing
        self.on_ended: OnRegistered = _nothing

    async def register(self, request: Request) -> str:
        """The id of the new registration, or of the one that this datagram made before.

        Raises InvalidRegistration, UnsupportedVersion, InvalidName, Unavailable.
        """
        stated = RegisterRequest.parse(request.queries, request.payload, request.content_format)
        subjects.endpoint_token(stated.endpoint)
        fingerprint = digest(
            stated.endpoint, request.peer.host, request.peer.port, request.message.message_id, request.message.token,
            "&".join(request.queries), request.payload,
        )  # fmt: skip
        if fingerprint in self._under_way:
            raise Unavailable("the same Register is handled already")
        self._under_way.add(fingerprint)
        try:
            async with _Locked(self._locks, stated.endpoint):
                former = self._table.of_endpoint(stated.endpoint)
                if former is not None and former.is_retransmitted(fingerprint, request.received_at):
                    if former.has_gone_on(request.received_at):
                        # It may have rebooted and lost its observations: they are asked for again, to no harm.
                        self.on_repeated(former)
                        former.answered_at = time.time()
                    elif not former.seen_after_answer:
                        former.answered_at = time.time()
                    return former.id
                live = await self._replace(former, stated, fingerprint, request)
        finally:
            self._under_way.discard(fingerprint)
        live.answered_at = time.time()
        # After the answer is on its way: an observation that overtakes it confuses the device.
        asyncio.get_running_loop().call_soon(self.on_registered, live)
        return live.id

    async def _replace(
        self, former: LiveRegistration | None, stated: RegisterRequest, fingerprint: str, request: Request
    ) -> LiveRegistration:
        now, generation = request.received_at, self._table.generation(stated.endpoint)
        identifier = registration_id(fingerprint, generation)
        profile = self._profiles.of(stated.endpoint, stated.links.objects)
        registration = as_registered(stated, identifier, request.peer, self._gateway_id, profile.awake_window_s)
        if former is not None:
            self.on_ended(former)
            await self._publisher.keep(self._deregistered(former, DeregistrationReason.REPLACED, now))
        await self._publisher.keep(
            EndpointRegistered(
                id=digest("registered", identifier), source=self._source, subject=stated.endpoint, time=utc(now),
                data=registration,
            )
        )  # fmt: skip
        stored = StoredRegistration(
            endpoint=stated.endpoint,
            registration=registration,
            registered_at=now,
            last_seen_at=now,
            generation=generation,
            register_fingerprint=fingerprint,
            observations=planned_observations(profile, registration),
            written_attributes=former.stored.written_attributes if former is not None else {},
        )
        live = LiveRegistration(stored, request.peer, await self._store.put(stored))
        self._table.put(live)
        log.info("registration.created", endpoint=live.endpoint, registration=live.id, warnings=registration.warnings)
        return live

    async def update(self, request: Request, identifier: str) -> None:
        """Raises NotFound, InvalidRegistration, Unavailable."""
        live = self._known(identifier)
        async with _Locked(self._locks, live.endpoint):
            live = self._known(identifier)
            registration = live.registration
            stated = UpdateRequest.parse(
                request.queries, request.payload, request.content_format, lwm2m_version=registration.lwm2m_version
            )
            updated = after_update(registration, stated, request.peer, self._gateway_id)
            event_id = digest(
                "updated", identifier, request.message.message_id, request.message.token, *request.queries,
                request.payload,
            )  # fmt: skip
            await self._publisher.keep(
                EndpointUpdated(
                    id=event_id, source=self._source, subject=live.endpoint, time=utc(request.received_at), data=updated
                )
            )
            former_address = live.peer.socket_address
            live.peer = request.peer
            live.seen_after_answer = True
            live.update(updated, request.received_at)
            self._table.moved(live, former_address)
            live.revision = await self._store.put(live.stored)

    async def deregister(self, request: Request, identifier: str) -> None:
        """Raises NotFound, Unavailable."""
        live = self._known(identifier)
        await self._end(live, DeregistrationReason.REQUEST, request.received_at)

    async def expire(self, live: LiveRegistration, now: float) -> None:
        """End a registration whose lifetime is over. Raises Unavailable."""
        await self._end(live, DeregistrationReason.EXPIRED, now)

    async def save(self, live: LiveRegistration) -> None:
        """Store what changed in memory, if the registration still lives. Raises Unavailable."""
        async with _Locked(self._locks, live.endpoint):
            if self._table.of_endpoint(live.endpoint) is live:
                live.revision = await self._store.put(live.stored)

    async def _end(self, live: LiveRegistration, reason: DeregistrationReason, now: float) -> None:
        async with _Locked(self._locks, live.endpoint):
            if self._table.of_endpoint(live.endpoint) is not live:
                raise NotFound("there is no such registration")
            if reason is DeregistrationReason.EXPIRED and live.expires_at > now:
                return
            self.on_ended(live)
            await self._publisher.keep(self._deregistered(live, reason, now))
            await self._store.delete(live.endpoint)
            self._table.remove(live)
            log.info("registration.ended", endpoint=live.endpoint, registration=live.id, reason=reason)

    def _deregistered(self, live: LiveRegistration, reason: DeregistrationReason, now: float) -> EndpointDeregistered:
        return EndpointDeregistered(
            id=digest("deregistered", live.id),
            source=self._source,
            subject=live.endpoint,
            time=utc(now),
            data=Deregistration(registration_id=live.id, reason=reason),
        )

    def _known(self, identifier: str) -> LiveRegistration:
        live = self._table.of_id(identifier)
        if live is None:
            raise NotFound("there is no such registration")
        return live


class _Locked:
    """One change of an endpoint at a time; the lock is there only while it is wanted."""

    def __init__(self, locks: dict[str, tuple[asyncio.Lock, int]], endpoint: str) -> None:
        self._locks, self._endpoint = locks, endpoint

    async def __aenter__(self) -> None:
        lock, wanted = self._locks.get(self._endpoint, (asyncio.Lock(), 0))
        self._locks[self._endpoint] = (lock, wanted + 1)
        try:
            await lock.acquire()
        except BaseException:
            self._release(None)
            raise

    async def __aexit__(self, *_: object) -> None:
        self._release(self._locks[self._endpoint][0])

    def _release(self, held: asyncio.Lock | None) -> None:
        lock, wanted = self._locks[self._endpoint]
        if held is not None:
            held.release()
        if wanted == 1:
            del self._locks[self._endpoint]
        else:
            self._locks[self._endpoint] = (lock, wanted - 1)


def _nothing(_: LiveRegistration) -> None:
    return None
