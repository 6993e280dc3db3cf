"""Observation at registration and the notifications that follow. LwM2M Core 1.1.1, 6.4; RFC 7641."""

from __future__ import annotations

import asyncio
import base64

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import ReadResource
from flownexus_schemas.events import ObservationChanged, ObservationState, Trigger, ValuesReported
from flownexus_schemas.profiles import CompositeObservation, ObservationProfile, SingleObservation
from harness.lockstep import (
    ACCEPT,
    ACK,
    BLOCK2,
    CHANGED,
    CON,
    CONTENT_FORMAT,
    CREATED,
    FETCH,
    GET,
    NON,
    NOT_FOUND,
    OBSERVE,
    RST,
    SENML_CBOR,
    SENML_JSON,
    TEXT,
    TLV,
    UNSUPPORTED_FORMAT,
    Heard,
    LockstepDevice,
    datagram,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice

TEMPERATURE = ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),))
ENVIRONMENT = ObservationProfile(
    observe_composite=(CompositeObservation(paths=("3303", "3304"), event_type="environment"),)
)


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


MORE, SIZE_32 = 8, 1

TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"
"""Resource 5700, four bytes, the float 21.5. LwM2M Core 1.1.1, 7.4.3."""

SENML_PACK = b'[{"bn":"/3303/0/","n":"5700","v":21.5},{"bn":"/3304/0/","n":"5700","v":40}]'


def observed(client: LockstepDevice, links: str = "</3303/0>", version: str = "1.1") -> bytes:
    """Register and let 3303/0/5700 be observed; the token."""
    assert client.register(links, version=version).code == CREATED
    request = client.expect_request(GET, "3303/0/5700")
    assert request.number(OBSERVE) == 0
    assert request.all(ACCEPT) == []
    client.answer(request, payload=TLV_21_5, content_format=TLV, observe=0)
    return request.token


def values(event: ValuesReported) -> list[tuple[str, object]]:
    return [(record.path, record.value) for record in event.data.records]


def is_ack(heard: Heard, sent: bytes) -> bool:
    return (heard.type, heard.code, heard.message_id) == (ACK, 0, int.from_bytes(sent[2:4], "big"))


async def test_what_the_profile_says_is_observed_and_the_first_value_is_reported(
    device: NewDevice, events: Events
) -> None:
    client = device()
    token = observed(client)
    assert len(token) == 8
    (established,) = await events.wait(ObservationChanged)
    assert established.data.state == ObservationState.ESTABLISHED
    assert established.data.observation.token == token.hex()
    (report,) = await events.wait(ValuesReported)
    assert values(report) == [("3303/0/5700", 21.5)]
    assert report.data.trigger == Trigger.NOTIFY
    assert base64.b64decode(report.data.payload) == TLV_21_5


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


async def test_observations_survive_a_crash_of_the_gateway(
    device: NewDevice, events: Events, gateway: ServiceProcess
) -> None:
    client = device()
    token = observed(client)
    await events.wait(ValuesReported)
    gateway.kill()
    gateway.start()
    sent = client.notification(token, 5, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    assert len(await events.wait(ValuesReported, 2)) == 2
    assert client.update().code == 0x44


async def test_a_crash_before_the_answer_of_the_device_asks_again_with_the_same_token(
    device: NewDevice, events: Events, gateway: ServiceProcess
) -> None:
    client = device()
    client.register("</3303/0>")
    first = client.expect_request(GET, "3303/0/5700")
    gateway.kill()
    gateway.start()
    again = client.expect_request(GET, "3303/0/5700")
    assert again.token == first.token
    client.answer(again, payload=TLV_21_5, content_format=TLV, observe=0)
    assert len(await events.wait(ValuesReported)) == 1


@pytest.mark.parametrize("profile", [ENVIRONMENT])
async def test_a_composite_notification_is_one_event(device: NewDevice, events: Events) -> None:
    client = device()
    client.register('</>;rt="oma.lwm2m";ct=110,</3303/0>,</3304/0>')
    request = client.expect_request(FETCH, "")
    assert (request.number(ACCEPT), request.number(CONTENT_FORMAT)) == (SENML_JSON, SENML_JSON)
    assert b'"/3303"' in request.payload
    client.answer(request, payload=SENML_PACK, content_format=SENML_JSON, observe=0)
    sent = client.notification(request.token, 2, SENML_PACK, SENML_JSON)
    assert is_ack(client.exchange(sent), sent)
    _, report = await events.wait(ValuesReported, 2)
    assert values(report) == [("3303/0/5700", 21.5), ("3304/0/5700", 40.0)]
    assert (report.data.composite, report.data.event_type) == (True, "environment")


@pytest.mark.parametrize("profile", [ENVIRONMENT])
async def test_zephyr_is_asked_in_json_and_a_refused_format_is_tried_in_the_other(
    device: NewDevice, events: Events
) -> None:
    client = device()
    client.register("</>;ct=112,</3303/0>,</3304/0>")
    first = client.expect_request(FETCH, "")
    assert first.number(ACCEPT) == SENML_JSON
    client.answer(first, UNSUPPORTED_FORMAT)
    second = client.expect_request(FETCH, "")
    assert second.number(ACCEPT) == SENML_CBOR
    client.answer(second, NOT_FOUND)
    (refused,) = await events.wait(ObservationChanged)
    assert (refused.data.state, refused.data.code) == (ObservationState.REFUSED, "4.04")


@pytest.mark.parametrize("profile", [ENVIRONMENT])
async def test_a_1_0_device_is_asked_for_each_object_by_itself(device: NewDevice, events: Events) -> None:
    client = device()
    client.register("</3303/0>,</3304/0>", version="1.0")
    for path in ("3303", "3304"):
        request = client.expect_request(GET, path)
        client.answer(request, NOT_FOUND)
    assert len(await events.wait(ObservationChanged, 2)) == 2


@pytest.mark.parametrize(
    "profile", [ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),), read_once=("3/0",))]
)
async def test_a_refusal_does_not_stop_the_rest_and_reads_are_reported(device: NewDevice, events: Events) -> None:
    client = device()
    client.register('</lwm2m>;rt="oma.lwm2m",</lwm2m/3/0>,</lwm2m/3303/0>')
    client.answer(client.expect_request(GET, "lwm2m/3303/0/5700"), NOT_FOUND)
    client.answer(client.expect_request(GET, "lwm2m/3/0"), payload=b"\xc2\x00Fn", content_format=TLV)
    (report,) = await events.wait(ValuesReported)
    assert report.data.trigger == Trigger.READ
    assert values(report) == [("3/0/0", "Fn")]


async def test_a_separate_answer_to_the_request_to_observe_is_understood(device: NewDevice, events: Events) -> None:
    client = device()
    client.register("</3303/0>")
    request = client.expect_request(GET, "3303/0/5700")
    client.send(datagram(ACK, 0, request.message_id))
    separate = client.notification(request.token, 0, TLV_21_5)
    assert is_ack(client.exchange(separate), separate)
    sent = client.notification(request.token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    assert len(await events.wait(ValuesReported, 2)) == 2


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


async def test_a_reset_of_the_request_to_observe_is_a_refusal_without_a_code(device: NewDevice, events: Events) -> None:
    client = device()
    client.register("</3303/0>")
    request = client.expect_request(GET, "3303/0/5700")
    client.send(datagram(RST, 0, request.message_id))
    (refused,) = await events.wait(ObservationChanged)
    assert (refused.data.state, refused.data.code) == (ObservationState.REFUSED, None)


@pytest.mark.parametrize(
    "profile",
    [
        ObservationProfile(
            observe=TEMPERATURE.observe, observe_composite=ENVIRONMENT.observe_composite, read_once=("3/0",)
        )
    ],
)
async def test_a_client_that_never_answers_a_composite_request_is_served_all_the_same(
    device: NewDevice, events: Events
) -> None:
    """Wakaama: an empty acknowledgement of FETCH, and nothing after it. What it does answer is asked before."""
    client = device()
    client.register('</>;rt="oma.lwm2m";ct=110,</3/0>,</3303/0>')
    observe = client.expect_request(GET, "3303/0/5700")
    client.answer(observe, payload=TLV_21_5, content_format=TLV, observe=0)
    client.answer(client.expect_request(GET, "3/0"), payload=b"\xc2\x00Wa", content_format=TLV)
    fetch = client.expect_request(FETCH, "")
    client.send(datagram(ACK, 0, fetch.message_id))
    sent = client.notification(observe.token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    assert client.update().code == CHANGED
    assert len(await events.of(ValuesReported)) == 3


async def test_a_burst_of_stored_notifications_is_kept_whole(device: NewDevice, events: Events) -> None:
    client = device()
    token = observed(client)
    sent = [client.notification(token, number, b"%d.5" % number, TEXT) for number in range(1, 201)]
    for data in sent:
        client.send(data)
    acknowledged = {client.receive().message_id for _ in sent}
    assert acknowledged == {int.from_bytes(data[2:4], "big") for data in sent}
    reports = (await events.of(ValuesReported))[1:]
    assert [report.data.records[0].value for report in reports] == [number + 0.5 for number in range(1, 201)]


async def test_a_rebooted_client_is_observed_anew_and_its_old_token_is_forgotten(
    device: NewDevice, events: Events
) -> None:
    client = device()
    former = observed(client)
    token = observed(client)
    assert token != former
    assert client.exchange(client.notification(former, 1, TLV_21_5)).type == RST
    sent = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)


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
