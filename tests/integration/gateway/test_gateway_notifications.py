"""Notifications and Send. LwM2M Core 1.1.1, 6.4.2, 6.4.4; RFC 7641."""

from __future__ import annotations

import asyncio
import base64

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import PathValue, ReadResource, WriteResource
from flownexus_schemas.events import ObservationChanged, ObservationState, Trigger, ValuesReported
from flownexus_schemas.profiles import ObservationProfile
from harness.commanded import answered
from harness.lockstep import (
    ACK,
    BLOCK2,
    CHANGED,
    CON,
    CONTENT_FORMAT,
    GET,
    NON,
    NOT_FOUND,
    OBSERVE,
    POST,
    PUT,
    RST,
    SENML_JSON,
    TEXT,
    TLV,
    URI_PATH,
    datagram,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import (
    MORE,
    SENML_PACK,
    SIZE_32,
    TEMPERATURE,
    TLV_21_5,
    is_ack,
    observed,
    values,
)


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


async def test_a_notification_is_acknowledged_after_its_event_is_kept(device: NewDevice, events: Events) -> None:
    client = device()
    token = observed(client)
    sent = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    _, report = await events.of(ValuesReported)
    assert values(report) == [("3303/0/5700", 21.5)]
    assert not report.data.composite
    assert report.data.observation is not None
    assert report.data.records[0].anchored


async def test_a_retransmitted_notification_is_one_event_and_acknowledged_again(
    device: NewDevice, events: Events
) -> None:
    client = device()
    sent = client.notification(observed(client), 1, TLV_21_5)
    for _ in range(3):
        assert is_ack(client.exchange(sent), sent)
    assert len(await events.of(ValuesReported)) == 2


async def test_a_non_confirmable_notification_is_reported_and_not_acknowledged(
    device: NewDevice, events: Events
) -> None:
    client = device()
    client.send(client.notification(observed(client), 1, TLV_21_5, type_=NON))
    assert len(await events.wait(ValuesReported, 2)) == 2


async def test_a_payload_that_cannot_be_decoded_is_kept_raw_with_the_reason(device: NewDevice, events: Events) -> None:
    client = device()
    sent = client.notification(observed(client), 1, b"\xe4\x16", TLV)
    assert is_ack(client.exchange(sent), sent)
    event = (await events.of(ValuesReported))[-1]
    assert event.data.records == ()
    assert event.data.undecoded
    assert base64.b64decode(event.data.payload) == b"\xe4\x16"


async def test_a_notification_without_content_format_is_text_for_a_resource(device: NewDevice, events: Events) -> None:
    client = device()
    sent = client.notification(observed(client), 1, b"22.25", None)
    assert is_ack(client.exchange(sent), sent)
    event = (await events.of(ValuesReported))[-1]
    assert values(event) == [("3303/0/5700", 22.25)]
    assert event.data.content_format is None


async def test_a_device_behind_a_nat_is_found_by_token_and_asked_at_its_new_address(
    device: NewDevice, events: Events, gateway: ServiceProcess
) -> None:
    client = device()
    token = observed(client)
    client.move()
    sent = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    await until(lambda: "registration.moved" in gateway.log_text())


async def test_an_unknown_token_is_answered_with_a_reset(device: NewDevice) -> None:
    client = device()
    heard = client.exchange(client.notification(b"\x11" * 8, 3, b"1", TEXT))
    assert (heard.type, heard.code) == (RST, 0)


async def test_an_error_code_ends_the_observation(device: NewDevice, events: Events) -> None:
    client = device()
    token = observed(client)
    sent = client.notification(token, None, b"", None, code=NOT_FOUND)
    assert is_ack(client.exchange(sent), sent)
    last = (await events.of(ObservationChanged))[-1]
    assert (last.data.state, last.data.code) == (ObservationState.CANCELLED, "4.04")
    assert client.exchange(client.notification(token, 9, TLV_21_5)).type == RST


@pytest.mark.parametrize("profile", [ObservationProfile()])
async def test_send_is_reported_as_one_event(device: NewDevice, events: Events) -> None:
    client = device()
    client.register("</3303/0>")
    options = [(11, b"dp"), (CONTENT_FORMAT, bytes([SENML_JSON]))]
    assert client.exchange(datagram(CON, 2, next(client.message_ids), b"s", options, SENML_PACK)).code == 0x44
    (report,) = await events.of(ValuesReported)
    assert (report.data.trigger, report.data.composite) == (Trigger.SEND, True)
    stranger = device("stranger")
    assert stranger.exchange(datagram(CON, 2, 9, b"s", options, SENML_PACK)).code == NOT_FOUND


@pytest.mark.parametrize("profile", [ObservationProfile()])
async def test_a_device_is_muted_and_what_it_sends_all_the_same_is_kept(
    js: JetStreamContext, device: NewDevice, events: Events
) -> None:
    one = device()
    one.register("</1/0>,</3303/0>")
    heard: list[bytes] = []

    def muted() -> None:
        request = one.expect_request(PUT, "1/0/23")
        heard.append(request.payload)
        one.answer(request, CHANGED)

    for value in (True, False):
        mute = WriteResource(endpoint="device-1", path="1/0/23", values=(PathValue(path="1/0/23", value=value),))
        assert (await answered(js._nc, mute, muted)).code == "2.04"
        options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, bytes([SENML_JSON]))]
        assert one.exchange(datagram(CON, POST, next(one.message_ids), b"s", options, SENML_PACK)).code == CHANGED
    assert heard == [b"1", b"0"]
    assert [report.data.trigger for report in await events.wait(ValuesReported, 2)] == [Trigger.SEND, Trigger.SEND]


async def test_a_burst_of_stored_notifications_is_kept_whole(device: NewDevice, events: Events) -> None:
    client = device()
    token = observed(client)
    sent = [client.notification(token, number, b"%d.5" % number, TEXT) for number in range(1, 1001)]
    acknowledged: set[int] = set()
    for start in range(0, len(sent), 100):  # as many acknowledgements as the device's own socket holds
        for data in sent[start : start + 100]:
            client.send(data)
        acknowledged |= {client.receive().message_id for _ in range(100)}
    assert acknowledged == {int.from_bytes(data[2:4], "big") for data in sent}
    reports = (await events.of(ValuesReported))[1:]
    assert [report.data.records[0].value for report in reports] == [number + 0.5 for number in range(1, 1001)]


async def test_base_name_and_name_are_split_as_each_client_splits_them(device: NewDevice, events: Events) -> None:
    """Anjay: bn="/3303/0", n="/5700"; Wakaama: bn="/3303/0/", n="5700"."""
    client = device()
    token = observed(client)
    for pack in (b'[{"bn":"/3303/0","n":"/5700","v":1.5}]', b'[{"bn":"/3303/0/","n":"5700","v":1.5}]'):
        sent = client.notification(token, 1, pack, SENML_JSON)
        assert is_ack(client.exchange(sent), sent)
    assert [values(event) for event in (await events.of(ValuesReported))[1:]] == [[("3303/0/5700", 1.5)]] * 2


async def test_a_notification_at_the_new_address_moves_the_requests_too(
    device: NewDevice, events: Events, js: JetStreamContext
) -> None:
    client = device()
    token = observed(client)
    client.move()
    sent = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    command = ReadResource(endpoint="device-1", path="3303/0").model_dump_json().encode()
    asked = asyncio.create_task(js._nc.request(subjects.gateway_request("gw-1"), command, timeout=10))
    request = await asyncio.to_thread(client.expect_request, GET, "3303/0")
    client.answer(request, payload=TLV_21_5, content_format=TLV)
    assert b"2.05" in (await asked).data


async def test_a_notification_in_blocks_is_read_whole(device: NewDevice, events: Events) -> None:
    client = device()
    token = observed(client)
    pack = b'[{"bn":"/3303/0/5700","v":' + b"1." + b"0" * 60 + b"}]"
    blocks = [pack[number : number + 32] for number in range(0, len(pack), 32)]
    options = [(OBSERVE, b"\x01"), (CONTENT_FORMAT, bytes([SENML_JSON])), (BLOCK2, bytes([MORE | SIZE_32]))]
    sent = datagram(CON, 0x45, next(client.message_ids), token, options, blocks[0])
    client.send(sent)
    heard = [client.receive(), client.receive()]
    assert any(is_ack(one, sent) for one in heard)
    request = next(one for one in heard if one.code == GET)
    for number, block in enumerate(blocks):
        more = MORE if number < len(blocks) - 1 else 0
        options = [(CONTENT_FORMAT, bytes([SENML_JSON])), (BLOCK2, bytes([number << 4 | more | SIZE_32]))]
        client.send(datagram(ACK, 0x45, request.message_id, request.token, options, block))
        if more:
            request = client.expect_request(GET, "3303/0/5700")
    reports = await events.wait(ValuesReported, 3)
    assert reports[1].data.undecoded
    assert values(reports[2]) == [("3303/0/5700", 1.0)]
