"""NATS slower than the devices: what is not taken is not acknowledged, and who asks is told when to come back."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest

from flownexus_schemas.events import ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from harness.embedded import RunningNats
from harness.lockstep import (
    ACK,
    CHANGED,
    CON,
    CONTENT_FORMAT,
    NON,
    POST,
    SENML_JSON,
    TEXT,
    URI_PATH,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import TEMPERATURE, observed

SERVICE_UNAVAILABLE, MAX_AGE = 0xA3, 14
BATCH = 500
SHORT_S = 0.2


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


@pytest.fixture
def stuck_nats(nats_server: RunningNats) -> Iterator[int]:
    """Its process, which is let go on at the end."""
    process = nats_server.pid
    yield process
    os.kill(process, signal.SIGCONT)


def send_values(device: LockstepDevice) -> Heard | None:
    options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, bytes([SENML_JSON]))]
    pack = b'[{"n":"/3303/0/5700","v":1.5}]'
    message_id = next(device.message_ids)
    device.send(datagram(CON, POST, message_id, b"s", options, pack))
    try:
        # Answers to those before may come late.
        while (heard := device.receive(SHORT_S)).message_id != message_id:
            pass
    except Silence:
        return None
    return heard


async def test_overload_is_5_03_with_max_age_for_send_and_silence_for_the_rest(
    device: NewDevice, events: Events, gateway: ServiceProcess, stuck_nats: int
) -> None:
    client, sender, newcomer = device("device-1"), device("sender"), device("newcomer")
    token = observed(client)
    sender.register("</3/0>")
    await events.wait(ValuesReported)
    os.kill(stuck_nats, signal.SIGSTOP)

    def refused() -> Heard | None:
        for number in range(BATCH):
            client.send(client.notification(token, number, b"%d" % number, TEXT, type_=NON))
        return send_values(sender)

    answer = await until(refused, timeout_s=30, what="a full gateway")
    assert answer.code == SERVICE_UNAVAILABLE
    assert 30 <= (answer.number(MAX_AGE) or 0) <= 45
    sent = client.notification(token, 9999, b"9.5", TEXT)
    register = newcomer.register_datagram("</3/0>", message_id=1)
    for who, data in ((client, sent), (newcomer, register)):
        who.send(data)
        with pytest.raises(Silence):
            who.receive(SHORT_S)

    os.kill(stuck_nats, signal.SIGCONT)
    taken = await until(lambda: _changed(sender), timeout_s=30, what="Send is taken again")
    assert taken.code == CHANGED
    assert client.exchange(sent).type == ACK


def _changed(device: LockstepDevice) -> Heard | None:
    heard = send_values(device)
    return heard if heard is not None and heard.code == CHANGED else None
