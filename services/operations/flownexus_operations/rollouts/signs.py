"""Signs of life of updated devices: when they were heard, and how often they registered.

Both are read from LWM2M_EVENTS, so whoever takes a rollout over knows the same: registrations from the start of the
rollout on, and for a device that seems quiet the last thing that it said.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import APIError, NotFoundError

from flownexus_operations.listening import Listeners
from flownexus_operations.rollouts.watching import Signs, quiet_for
from flownexus_runtime.stream_reader import StreamReader
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, InvalidName, Unavailable
from flownexus_schemas.events import EndpointRegistered, EndpointUpdated, parse_event
from flownexus_schemas.rollouts.device import DeviceStatus, RolloutDevice
from flownexus_schemas.rollouts.rollout import Watch
from flownexus_schemas.subjects import EventKind, Stream

log = structlog.get_logger(__name__)

BATCH = 1000
MAX_REGISTRATIONS = 5000
"""Of a device that are remembered: more is reboots by any measure."""

LOOK_AGAIN_S = 30.0
"""After which the stream is asked again about a device that seems quiet."""

_SAYS = (EventKind.REGISTERED, EventKind.UPDATED, EventKind.REPORTED)
_NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, slots=True)
class _Said:
    """What the stream has of a device. `asked_at`: Unix seconds."""

    last_heard: datetime
    lifetime_s: int | None
    asked_at: float


class SignsOfLife:
    """Of the devices of one rollout. `follow` runs beside; what is told before `caught_up` lacks registrations."""

    def __init__(self, client: Client, js: JetStreamContext, listeners: Listeners, watch: Watch) -> None:
        self._client, self._js, self._listeners, self._watch = client, js, listeners, watch
        self._registrations: defaultdict[str, list[datetime]] = defaultdict(list)
        self._said: dict[str, _Said] = {}
        self.caught_up = asyncio.Event()

    async def follow(self, since: datetime, among: Iterable[str]) -> None:
        """Count registrations of these devices from then on, until cancelled. Raises ReaderLost, what NATS raises."""
        if self._watch.seconds == 0 or self._watch.more_registrations is None:
            self.caught_up.set()
            return
        names = frozenset(among)
        reader = StreamReader(
            self._client,
            self._js,
            Stream.EVENTS,
            after=None,
            since=since,
            size=BATCH,
            subjects=(subjects.events_of_kind(EventKind.REGISTERED),),
        )
        async with reader:
            if reader.pending_at_start == 0:
                self.caught_up.set()
            while True:
                for message in await reader.batch():
                    self._count(message.subject, message.payload, names)
                    if message.pending == 0:
                        self.caught_up.set()

    async def of(self, devices: Iterable[RolloutDevice], now: datetime) -> dict[str, Signs]:
        """What is known of each; one that seems quiet is looked for in the stream first. Raises Unavailable."""
        looked_after = [one for one in devices if one.status in {DeviceStatus.WATCHED, DeviceStatus.QUIET}]
        for name in self._said.keys() - {one.endpoint for one in looked_after}:
            del self._said[name]
        for device in looked_after:
            if self._is_to_be_asked(device, now):
                self._said[device.endpoint] = await self._ask(device.endpoint, now)
        return {one.endpoint: self._known(one.endpoint) for one in looked_after}

    def _is_to_be_asked(self, device: RolloutDevice, now: datetime) -> bool:
        """Before it is called quiet always; else where too little is known, or it may be back, from time to time."""
        if device.status is DeviceStatus.WATCHED and device.updated_at is not None:
            known = self._known(device.endpoint)
            if quiet_for(device.updated_at, self._watch, known, now) is not None:
                return True
            if known.lifetime_s is not None:
                return False
        said = self._said.get(device.endpoint)
        return said is None or now.timestamp() - said.asked_at >= LOOK_AGAIN_S

    def _known(self, endpoint: str) -> Signs:
        live, said = self._listeners.heard_of(endpoint), self._said.get(endpoint)
        heard = [_NEVER if live is None else datetime.fromtimestamp(live[0], UTC)]
        heard.append(_NEVER if said is None else said.last_heard)
        lifetime_s = live[1] if live is not None else said.lifetime_s if said is not None else None
        return Signs(max(heard), lifetime_s, self._registrations.get(endpoint, ()))

    async def _ask(self, endpoint: str, now: datetime) -> _Said:
        heard, lifetime_s, stated = _NEVER, None, _NEVER
        for kind in _SAYS:
            try:
                message = await self._js.get_last_msg(Stream.EVENTS, subjects.event(endpoint, kind))
                event = parse_event(message.data or b"")
            except (NotFoundError, InvalidMessage):
                continue
            except (NatsError, APIError, TimeoutError) as error:
                raise Unavailable(f"the last event of {endpoint!r} is not known: {error!r}") from error
            if message.headers and subjects.LATE in message.headers:
                continue
            heard = max(heard, event.time)
            if isinstance(event, EndpointRegistered | EndpointUpdated) and event.time > stated:
                stated, lifetime_s = event.time, event.data.lifetime_s
        return _Said(heard, lifetime_s, now.timestamp())

    def _count(self, subject: str, payload: bytes, names: frozenset[str]) -> None:
        try:
            endpoint = subjects.endpoint_of_subject(subject)
            if endpoint not in names or len(self._registrations[endpoint]) >= MAX_REGISTRATIONS:
                return
            self._registrations[endpoint].append(parse_event(payload).time)
        except (InvalidName, InvalidMessage) as error:
            log.error("event.unreadable", subject=subject, error=str(error))
