"""A gateway over a real NATS server, its events, and devices in lock-step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator

import pytest
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, DeliverPolicy

from conftest import ServiceFactory
from flownexus_schemas.events import Event, parse_event
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile
from flownexus_schemas.subjects import ALL_EVENTS, Bucket, EventKind
from harness.lockstep import LockstepDevice
from harness.services import ServiceProcess
from harness.waiting import until

NewDevice = Callable[..., LockstepDevice]


class Events:
    """All events so far, in the order of the stream."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self.seen: list[Event] = []

    async def start(self) -> None:
        self._sub = await self._js.pull_subscribe(
            ALL_EVENTS, config=ConsumerConfig(deliver_policy=DeliverPolicy.ALL, inactive_threshold=600)
        )

    async def fetch(self) -> list[Event]:
        try:
            while True:
                for message in await self._sub.fetch(100, timeout=0.1):
                    self.seen.append(parse_event(message.data))
                    await message.ack()
        except NatsTimeoutError:
            return self.seen

    async def of(self, kind: EventKind, endpoint: str | None = None) -> list[Event]:
        """All so far of one kind."""
        return [
            event
            for event in await self.fetch()
            if f".{kind}.v" in event.type and endpoint in (None, event.subject)
        ]

    async def wait(self, kind: EventKind, count: int = 1, endpoint: str | None = None) -> list[Event]:
        """The events of a kind once there are `count`."""

        async def enough() -> list[Event]:
            found = await self.of(kind, endpoint)
            return found if len(found) >= count else []

        return await until(enough, what=f"{count} {kind} events")


@pytest.fixture
async def events(js: JetStreamContext) -> AsyncIterator[Events]:
    collected = Events(js)
    await collected.start()
    yield collected


@pytest.fixture
async def no_observations(js: JetStreamContext) -> None:
    """An empty profile: the gateway asks nothing of a device that registers."""
    await put_profile(js, ObservationProfile())


async def put_profile(js: JetStreamContext, profile: ObservationProfile) -> None:
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put(DEFAULT_KEY, profile.model_dump_json().encode())


@pytest.fixture
def gateway(js: JetStreamContext, service: ServiceFactory) -> ServiceProcess:
    return service("flownexus_gateway")


@pytest.fixture
def device(gateway: ServiceProcess) -> Iterator[NewDevice]:
    """Makes devices of the gateway."""
    made: list[LockstepDevice] = []

    def new(endpoint: str = "device-1", host: str = "127.0.0.1") -> LockstepDevice:
        made.append(LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), endpoint, host))
        return made[-1]

    yield new
    for one in made:
        one.close()
