"""A gateway over a real NATS server, its events, and devices in lock-step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import LockstepDevice
from harness.ports import free_port
from harness.secure_device import SecureDevice
from harness.services import ServiceProcess
from integration.gateway.credential_bucket import CREDENTIALS_KEY, CredentialBucket
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
async def secure_gateway(
    js: JetStreamContext, service: Callable[..., ServiceProcess], profile: ObservationProfile
) -> ServiceProcess:
    """One that takes CoAPS too; its devices are those that have credentials in the bucket."""
    await put_profile(js, profile)
    return service(
        "flownexus_gateway", FLOWNEXUS_COAPS_PORT=free_port("udp"), FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY
    )


@pytest.fixture
def credentials(js: JetStreamContext, secure_gateway: ServiceProcess) -> CredentialBucket:
    return CredentialBucket(js, secure_gateway)


@pytest.fixture
def secure_device(secure_gateway: ServiceProcess) -> Iterator[Callable[..., SecureDevice]]:
    """Makes devices that are to connect to it."""
    made: list[SecureDevice] = []

    def new(endpoint: str = "device-1", **options: Any) -> SecureDevice:
        made.append(SecureDevice(int(secure_gateway.env["FLOWNEXUS_COAPS_PORT"]), endpoint, **options))
        return made[-1]

    yield new
    for one in made:
        one.close()


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
