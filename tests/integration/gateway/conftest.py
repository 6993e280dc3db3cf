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
async def no_observations(js: JetStreamContext) -> None:
    """An empty profile: the gateway asks nothing of a device that registers."""
    await put_profile(js, ObservationProfile())


@pytest.fixture
def gateway(js: JetStreamContext, service: Callable[..., ServiceProcess]) -> ServiceProcess:
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
