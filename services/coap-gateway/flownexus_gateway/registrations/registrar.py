"""Register, Update, Deregister: parse, decide, publish, store, answer. LwM2M Core 1.1.1, 6.2.

The order of writes is event, KV, answer. A crash between two of them is mended by the device's retransmission, which
makes the same ids again; the event is then stored once. Several gateways share the registrations: the one that a device
spoke to last holds it, and writes over the entry that it knows or not at all.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable

import structlog

from flownexus_gateway.observations.plan import planned_observations
from flownexus_gateway.profiles import Profiles
from flownexus_gateway.publisher import Publisher
from flownexus_gateway.registrations.endpoint_locks import Locked
from flownexus_gateway.registrations.entitlement import Entitlement
from flownexus_gateway.registrations.identifiers import digest, registration_id
from flownexus_gateway.registrations.live import LiveRegistration
from flownexus_gateway.registrations.statement import after_update, as_registered
from flownexus_gateway.registrations.store import Overtaken, RegistrationStore
from flownexus_gateway.registrations.table import RegistrationTable
from flownexus_gateway.transport.peer import Peer
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
    Registration,
)
from flownexus_schemas.lwm2m.registration import RegisterRequest, UpdateRequest
from flownexus_schemas.registrations import StoredRegistration

log = structlog.get_logger(__name__)

ATTEMPTS = 5
"""Of a write that other gateways overtake each time. After that the device sends its message again."""

OnRegistered = Callable[[LiveRegistration], None]


class Registrar:
    """The life of registrations at one gateway."""

    def __init__(  # noqa: PLR0917 - the parts that a registration needs
        self,
        table: RegistrationTable,
        store: RegistrationStore,
        publisher: Publisher,
        profiles: Profiles,
        entitlement: Entitlement,
        gateway_id: str,
    ) -> None:
        self._table, self._store, self._publisher, self._profiles = table, store, publisher, profiles
        self._entitlement = entitlement
        self._gateway_id = gateway_id
        self._source = f"/gateway/{gateway_id}"
        self._locks: dict[str, tuple[asyncio.Lock, int]] = {}
        self._under_way: set[str] = set()
        self.on_registered: OnRegistered = _nothing
        self.on_repeated: OnRegistered = _nothing
        self.on_ended: OnRegistered = _nothing
        self.on_moved: OnRegistered = _nothing
        self.on_taken_over: OnRegistered = _nothing

    async def register(self, request: Request) -> str:
        """The id of the new registration, or of the one that this datagram made before.

        Raises InvalidRegistration, UnsupportedVersion, InvalidName, Forbidden, Unavailable.
        """
        stated = RegisterRequest.parse(
            request.queries, request.payload, request.content_format, identity=request.peer.endpoint
        )
        subjects.endpoint_token(stated.endpoint)
        # Without the address: behind a NAT a retransmission may come from another port.
        fingerprint = digest(
            stated.endpoint, request.message.message_id, request.message.token, "&".join(request.queries),
            request.payload,
        )  # fmt: skip
        if fingerprint in self._under_way:
            raise Unavailable("the same Register is handled already")
        self._under_way.add(fingerprint)
        try:
            async with Locked(self._locks, stated.endpoint):
                return await self._register(stated, fingerprint, request)
        finally:
            self._under_way.discard(fingerprint)

    async def _register(self, stated: RegisterRequest, fingerprint: str, request: Request) -> str:
        for _ in range(ATTEMPTS):
            former = self._table.of_endpoint(stated.endpoint)
            self._entitlement.require_name(stated.endpoint, request.peer, former)
            if former is not None and former.is_retransmitted(fingerprint, request.received_at):
                await self._repeated(former, request)
                return former.id
            with contextlib.suppress(Overtaken):
                live = await self._replace(former, stated, fingerprint, request)
                live.answered_at = time.time()
                # After the answer is on its way: an observation that overtakes it confuses the device.
                asyncio.get_running_loop().call_soon(self.on_registered, live)
                return live.id
        raise Unavailable("other gateways register the same endpoint again and again")

    async def _repeated(self, live: LiveRegistration, request: Request) -> None:
        if not self.is_here(live):
            self._move(live, request.peer)
            await self._write(live)
            asyncio.get_running_loop().call_soon(self.on_taken_over, live)
            live.answered_at = time.time()
            return
        self.heard(live, request.peer)
        if live.has_gone_on(request.received_at):
            # It may have rebooted and lost its observations: they are asked for again, to no harm.
            self.on_repeated(live)
        elif live.seen_after_answer:
            return
        live.answered_at = time.time()

    async def _replace(
        self, former: LiveRegistration | None, stated: RegisterRequest, fingerprint: str, request: Request
    ) -> LiveRegistration:
        """Raises Overtaken, with the table as the other gateway stored it."""
        now, generation = request.received_at, self._table.generation(stated.endpoint)
        identifier = registration_id(fingerprint, generation)
        profile = self._profiles.of(stated.endpoint, stated.links.objects)
        registration = as_registered(stated, identifier, request.peer, self._gateway_id, profile)
        if former is not None:
            self.on_ended(former)
            await self._publisher.keep(
                self._deregistered(former.endpoint, former.id, DeregistrationReason.REPLACED, now)
            )
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
        live = LiveRegistration(stored, request.peer, await self._put_new(stored, former, now))
        self._table.put(live)
        log.info("registration.created", endpoint=live.endpoint, registration=live.id, warnings=registration.warnings)
        return live

    async def _put_new(self, stored: StoredRegistration, former: LiveRegistration | None, now: float) -> int:
        """Store a registration whose event is published; its revision. Raises Overtaken, Unavailable."""
        identifier, last = stored.registration.registration_id, stored.generation
        for _ in range(ATTEMPTS):
            with contextlib.suppress(Overtaken):
                return await self._store.put(stored, last)
            other = await self._store.refresh(stored.endpoint)
            other_id = None if other is None else other.registration.registration_id
            if former is None or other_id != former.id:
                break
            # Only the entry of the former one changed meanwhile: it is replaced all the same.
            last = former.revision
        if other_id != identifier:
            await self._publisher.keep(
                self._deregistered(stored.endpoint, identifier, DeregistrationReason.REPLACED, now)
            )
        raise Overtaken

    async def update(self, request: Request, identifier: str) -> None:
        """Raises NotFound, Forbidden, InvalidRegistration, Unavailable."""
        live = await self._known(identifier)
        self._entitlement.require(live, request.peer)
        async with Locked(self._locks, live.endpoint):
            live = await self._known(identifier)
            registration = live.registration
            stated = UpdateRequest.parse(
                request.queries, request.payload, request.content_format, lwm2m_version=registration.lwm2m_version
            )
            objects = live.object_ids if stated.links is None else stated.links.objects
            profile = self._profiles.of(live.endpoint, objects)
            updated = after_update(registration, stated, request.peer, self._gateway_id, profile)
            event_id = digest(
                "updated", identifier, request.message.message_id, request.message.token, *request.queries,
                request.payload,
            )  # fmt: skip
            await self._publisher.keep(self._updated(live, updated, event_id, request.received_at))
            live.seen_after_answer = True
            is_new_here = not self.is_here(live)
            self._move(live, request.peer)
            live.update(updated, request.received_at)
            await self._write(live)
            if is_new_here:
                asyncio.get_running_loop().call_soon(self.on_taken_over, live)

    def heard(self, live: LiveRegistration, peer: Peer) -> None:
        """Something came from the device: it is held here from now on, and requests to it go where that came from."""
        is_here = live.registration.gateway == self._gateway_id
        if is_here and live.peer == peer:
            return
        log.info("registration.moved", endpoint=live.endpoint, former=repr(live.peer), address=repr(peer),
                 gateway=live.registration.gateway)  # fmt: skip
        self._move(live, peer)
        self.on_moved(live)
        if not is_here:
            self.on_taken_over(live)

    def _move(self, live: LiveRegistration, peer: Peer) -> None:
        former = live.peer.registration_key
        live.move(peer, self._gateway_id)
        self._table.moved(live, former)

    async def settled(self, endpoint: str) -> None:
        """Wait until no Register or Update of the endpoint is under way. Others know of it from KV before it is done
        here: what they ask for then is for the device as it is after it, where it is after it.
        """
        if endpoint in self._locks:
            async with Locked(self._locks, endpoint):
                return

    def is_here(self, live: LiveRegistration) -> bool:
        """Whether it lives and this gateway holds it: the device spoke to this one last."""
        return live.registration.gateway == self._gateway_id and self._table.of_endpoint(live.endpoint) is live

    async def deregister(self, request: Request, identifier: str) -> None:
        """Raises NotFound, Forbidden, Unavailable."""
        live = await self._known(identifier)
        self._entitlement.require(live, request.peer)
        await self._end(live, DeregistrationReason.REQUEST, request.received_at)

    async def expire(self, live: LiveRegistration, now: float) -> None:
        """End a registration whose lifetime is over. Raises NotFound, Unavailable."""
        await self._end(live, DeregistrationReason.EXPIRED, now)

    async def save(self, live: LiveRegistration) -> None:
        """Store what changed in memory, if the registration still lives and is held here. Raises Unavailable."""
        async with Locked(self._locks, live.endpoint):
            if self.is_here(live):
                with contextlib.suppress(NotFound):
                    await self._write(live)

    async def _write(self, live: LiveRegistration) -> None:
        """Store what is in memory, together with what another gateway wrote meanwhile.

        Raises NotFound where that ended or replaced the registration, or the device speaks to the other one now.
        """
        for _ in range(ATTEMPTS):
            written = live.stored
            try:
                revision = await self._store.put(written, live.revision)
            except Overtaken:
                await self._store.refresh(live.endpoint)
                if not self.is_here(live):
                    raise NotFound("there is no such registration here any more") from None
                continue
            live.revision = max(live.revision, revision)
            live.is_claimed = live.is_claimed and live.stored is not written
            return
        raise Unavailable("other gateways write the same registration again and again")

    async def _end(self, live: LiveRegistration, reason: DeregistrationReason, now: float) -> None:
        async with Locked(self._locks, live.endpoint):
            if reason is DeregistrationReason.EXPIRED:
                # An Update at another gateway may be on its way here.
                await self._store.refresh(live.endpoint)
                if live.expires_at > now:
                    return
            if self._table.of_endpoint(live.endpoint) is not live:
                raise NotFound("there is no such registration")
            self.on_ended(live)
            await self._publisher.keep(self._deregistered(live.endpoint, live.id, reason, now))
            await self._delete(live, reason, now)
            log.info("registration.ended", endpoint=live.endpoint, registration=live.id, reason=reason)

    async def _delete(self, live: LiveRegistration, reason: DeregistrationReason, now: float) -> None:
        for _ in range(ATTEMPTS):
            try:
                live.revision = await self._store.delete(live.endpoint, live.revision)
            except Overtaken:
                await self._store.refresh(live.endpoint)
                if self._table.of_endpoint(live.endpoint) is not live:
                    return
                if reason is DeregistrationReason.EXPIRED and live.expires_at > now:
                    await self._revive(live, now)
                    return
                continue
            self._table.remove(live)
            return
        raise Unavailable("other gateways write the same registration again and again")

    async def _revive(self, live: LiveRegistration, now: float) -> None:
        """It was updated at another gateway after its end was published here: whoever reads events learns it."""
        log.warning("registration.revived", endpoint=live.endpoint, registration=live.id)
        event_id = digest("revived", live.id, live.revision)
        await self._publisher.keep(self._updated(live, live.registration, event_id, now))

    def _updated(self, live: LiveRegistration, data: Registration, event_id: str, at: float) -> EndpointUpdated:
        return EndpointUpdated(id=event_id, source=self._source, subject=live.endpoint, time=utc(at), data=data)

    def _deregistered(
        self, endpoint: str, identifier: str, reason: DeregistrationReason, now: float
    ) -> EndpointDeregistered:
        return EndpointDeregistered(
            id=digest("deregistered", identifier),
            source=self._source,
            subject=endpoint,
            time=utc(now),
            data=Deregistration(registration_id=identifier, reason=reason),
        )

    async def of_peer(self, peer: Peer) -> LiveRegistration | None:
        """The registration of a peer, also one made at another gateway just now. Raises Unavailable."""
        live = self._table.of_peer(peer)
        if live is None:
            await self._store.catch_up()
            live = self._table.of_peer(peer)
        return live

    async def _known(self, identifier: str) -> LiveRegistration:
        live = self._table.of_id(identifier)
        if live is None:
            # It may have registered at another gateway just now.
            await self._store.catch_up()
            live = self._table.of_id(identifier)
        if live is None:
            raise NotFound("there is no such registration")
        return live


def _nothing(_: LiveRegistration) -> None:
    return None
