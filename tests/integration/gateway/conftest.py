"""A gateway over a real NATS server, its events, and devices in lock-step."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import LockstepDevice
from harness.services import ServiceProcess
from integration.gateway.gateway_events import Events, NewDevice, put_profile


@pytest.fixture
def events(js: JetStreamContext) -> Events:
    return Events(js)


@pytest.fixture
def profile() -> ObservationProfile:
    """What the gateway observes: nothing, unless a test module or a parameter says otherwise."""
    return ObservationProfile()


@pytest.fixture
async def gateway(
    js: JetStreamContext, service: Callable[..., ServiceProcess], profile: ObservationProfile
) -> ServiceProcess:
    await put_profile(js, profile)
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
