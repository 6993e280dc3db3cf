"""What one gateway stored a moment ago, and what the device does at another meanwhile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.profile_standing import AskProfile
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile, SingleObservation
from flownexus_schemas.registrations import StoredRegistration
from flownexus_schemas.subjects import Bucket
from harness.lockstep import CHANGED, GET, RST, Silence
from harness.services import ServiceProcess
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import TEMPERATURE, TLV_21_5, is_ack, observed
from integration.gateway.two_gateways import speaks_to, stored_as_observed

LINKS = "</3303/0>,</3304/0>"
MANY = 3000


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile(observe=TEMPERATURE.observe, awake_window_s=0.2)


@pytest.fixture
def second(gateway: ServiceProcess, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    assert gateway.is_running
    return service("flownexus_gateway", FLOWNEXUS_GATEWAY_ID="gw-2")


def copy_of(stored: StoredRegistration, number: int) -> StoredRegistration:
    """The same registration of another device, with a token of its own."""
    observations = tuple(one.model_copy(update={"token": f"{number:016x}"}) for one in stored.observations)
    registration = stored.registration.model_copy(update={"registration_id": f"copy{number:08d}"})
    return stored.model_copy(
        update={"endpoint": f"copy-{number}", "registration": registration, "observations": observations}
    )


async def test_a_token_that_was_stored_a_moment_ago_is_not_answered_with_reset(
    device: NewDevice, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    client = device()
    observed(client)
    stored = await stored_as_observed(js, "device-1")
    nc = js._nc
    # Another gateway has a busy moment; the watch of this one is behind by some of it.
    for number in range(1, MANY + 1):
        copy = copy_of(stored, number)
        key = f"$KV.{Bucket.REGISTRATIONS}.{subjects.endpoint_key(copy.endpoint)}"
        await nc.publish(key, copy.model_dump_json().encode())
    await js.publish(key, copy.model_dump_json().encode())
    speaks_to(client, second)
    sent = client.notification(bytes.fromhex(f"{MANY:016x}"), 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)

    nobody = client.notification(b"\xff" * 8, 2, TLV_21_5)
    assert client.exchange(nobody).type == RST


async def test_a_sleeping_device_that_a_profile_waits_for_gets_it_at_the_gateway_that_it_speaks_to_next(
    device: NewDevice, events: Events, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    one = device()
    one.register(LINKS, "b=U", "Q")
    one.answer(one.expect_request(GET, "3303/0/5700"), payload=TLV_21_5, content_format=11542, observe=0)
    await stored_as_observed(js, "device-1")
    wanted = (*TEMPERATURE.observe, SingleObservation(path="3304/0/5700"))
    profile = ObservationProfile(observe=wanted, awake_window_s=0.2)
    revision = await (await js.key_value(Bucket.OBSERVATION_PROFILES)).put(
        DEFAULT_KEY, profile.model_dump_json().encode()
    )
    with pytest.raises(Silence):
        one.receive(timeout_s=0.3)  # longer than it is awake
    question = AskProfile(endpoint="device-1", apply=True, timeout_s=0, profiles_revision=revision)
    reply = await js._nc.request(subjects.gateway_profile("gw-1"), question.model_dump_json().encode(), timeout=10)
    assert b'"asleep"' in reply.data

    speaks_to(one, second)
    assert one.update().code == CHANGED
    one.answer(one.expect_request(GET, "3304/0/5700"), payload=TLV_21_5, content_format=11542, observe=0)
