"""A notification that overtakes the answer to its observation, as after a lost datagram or a killed gateway."""

from __future__ import annotations

import asyncio

import pytest

from flownexus_schemas.events import ValuesReported
from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from harness.lockstep import (
    ACK,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    GET,
    OBSERVE,
    SENML_JSON,
    Heard,
    LockstepDevice,
    datagram,
)
from integration.gateway.gateway_events import Events, NewDevice

PACK = b'[{"bn":"/3303/0/","bt":1795391331.655,"n":"5700","v":21.5}]'


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),))


def next_of(client: LockstepDevice, kind: int) -> Heard:
    """The next datagram of this type; what else comes is passed over."""
    while (heard := client.receive()).type != kind:
        pass
    return heard


def notify_three_times(client: LockstepDevice) -> list[Heard]:
    """Never answer the request to observe; send one notification with its token three times."""
    client.register("</3303/0>")
    asked = client.receive()
    assert asked.code == GET
    notification = datagram(
        CON, CONTENT, 0x7777, asked.token, ((OBSERVE, b"\x01"), (CONTENT_FORMAT, bytes((SENML_JSON,)))), PACK
    )
    heard = []
    for _ in range(3):
        client.send(notification)
        heard.append(next_of(client, ACK))
    return heard


async def test_it_is_acknowledged_each_time_and_one_event(device: NewDevice, events: Events) -> None:
    heard = await asyncio.to_thread(notify_three_times, device())
    assert [answer.message_id for answer in heard] == [0x7777] * 3
    await events.wait(ValuesReported)
    reported = [event for event in await events.of(ValuesReported) if event.data.records]
    assert len(reported) == 1
