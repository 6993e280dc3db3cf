"""What every client does sooner or later, played with bytes written by hand. docs/devices.md has the table."""

from __future__ import annotations

import pytest

from flownexus_schemas.events import ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import RST, TEXT, TLV
from harness.services import ServiceProcess
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import TEMPERATURE, observed
from interop.habits import NAME, TLV_21_5, notify, reported

STORED = 1000
WINDOW = 50


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


async def test_a_thousand_notifications_stored_in_an_outage_are_kept_in_their_order(
    device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    token = observed(one)
    await events.wait(ValuesReported)
    stored = [one.notification(token, number, b"%d.5" % number, TEXT) for number in range(1, STORED + 1)]
    for first in range(0, STORED, WINDOW):
        burst = stored[first : first + WINDOW]
        for data in burst:
            one.send(data)
        assert {one.receive().message_id for _ in burst} == {int.from_bytes(data[2:4], "big") for data in burst}
    kept = (await events.of(ValuesReported))[1:]
    assert reported(kept) == [[("3303/0/5700", number + 0.5)] for number in range(1, STORED + 1)]


async def test_message_ids_begin_again_at_0(device: NewDevice, events: Events) -> None:
    one = device(NAME)
    token = observed(one)
    for sequence, message_id in enumerate((65534, 65535, 0, 1), start=1):
        notify(one, one.notification(token, sequence, b"%d" % sequence, TEXT, message_id=message_id))
    assert reported((await events.of(ValuesReported))[1:]) == [[("3303/0/5700", value)] for value in (1, 2, 3, 4)]


async def test_a_message_id_that_is_used_again_for_another_notification_is_another_value(
    device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    token = observed(one)
    for sequence in (1, 2):
        notify(one, one.notification(token, sequence, b"%d" % sequence, TEXT, message_id=7))
    assert reported((await events.of(ValuesReported))[1:]) == [[("3303/0/5700", 1)], [("3303/0/5700", 2)]]


async def test_after_a_restart_a_known_token_is_never_reset_and_an_unknown_one_is(
    device: NewDevice, events: Events, gateway: ServiceProcess
) -> None:
    one = device(NAME)
    token = observed(one)
    await events.wait(ValuesReported)
    gateway.kill()
    gateway.start()
    stranger = device("stranger")
    assert stranger.exchange(stranger.notification(b"\x11" * 8, 3, TLV_21_5, TLV)).type == RST
    notify(one, one.notification(token, 1, TLV_21_5, TLV))
    one.move()
    notify(one, one.notification(token, 2, TLV_21_5, TLV))
    assert len(await events.of(ValuesReported)) == 3
