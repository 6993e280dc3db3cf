"""A gateway that dies between the two things that a Register needs: its event kept, its entry in KV."""

from __future__ import annotations

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import jetstream
from flownexus_schemas.events import EndpointRegistered
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.subjects import Bucket
from harness.lockstep import CREATED, Silence
from harness.services import ServiceProcess
from integration.gateway.gateway_events import Events, NewDevice, put_profile
from integration.gateway.two_gateways import stored


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile()


async def test_after_a_crash_between_event_and_entry_the_retransmission_ends_as_one_registration(
    device: NewDevice, events: Events, js: JetStreamContext, gateway: ServiceProcess, profile: ObservationProfile
) -> None:
    one = device()
    register = one.register_datagram("</3303/0>", message_id=7)
    # Without its bucket the entry cannot be written; the event can.
    await js.delete_key_value(Bucket.REGISTRATIONS)
    one.send(register)
    assert len(await events.wait(EndpointRegistered)) == 1
    with pytest.raises(Silence):
        one.receive(timeout_s=0.5)
    gateway.kill()
    await jetstream.provision(js)
    await put_profile(js, profile)
    assert await stored(js, "device-1") is None

    gateway.start()
    answer = one.exchange(register)
    assert answer.code == CREATED
    one.location = answer.location()
    assert await stored(js, "device-1") is not None
    assert len(await events.of(EndpointRegistered)) == 1
    assert one.update().code == 0x44
