"""What is observed and read at registration. LwM2M Core 1.1.1, 6.4."""

from __future__ import annotations

import base64

import pytest

from flownexus_schemas.events import EndpointRegistered, ObservationChanged, ObservationState, Trigger, ValuesReported
from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from harness.lockstep import (
    ACCEPT,
    ACK,
    CHANGED,
    CONTENT_FORMAT,
    FETCH,
    GET,
    NOT_FOUND,
    RST,
    SENML_CBOR,
    SENML_JSON,
    TLV,
    UNSUPPORTED_FORMAT,
    Heard,
    Silence,
    datagram,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import (
    ENVIRONMENT,
    SENML_PACK,
    TEMPERATURE,
    TLV_21_5,
    is_ack,
    observed,
    values,
)


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


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


async def test_a_separate_answer_whose_acknowledgement_was_lost_ends_the_request_to_observe(
    device: NewDevice, events: Events
) -> None:
    """RFC 7252, 4.2: it is not sent again, and holds back nothing that follows."""
    client = device()
    client.register("</3303/0>")
    request = client.expect_request(GET, "3303/0/5700")
    separate = client.notification(request.token, 0, TLV_21_5)
    assert is_ack(client.exchange(separate), separate)
    await events.wait(ValuesReported)
    with pytest.raises(Silence):
        client.receive(3.5)


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


async def test_a_register_repeated_after_its_observation_gets_the_same_location_and_is_observed_again(
    device: NewDevice, events: Events
) -> None:
    """Its answer was lost, or it rebooted within seconds: nothing tells which, and this serves both."""
    client = device()
    register = client.register_datagram("</3303/0>", message_id=1)
    first = client.exchange(register).location()
    request = client.expect_request(GET, "3303/0/5700")
    client.answer(request, payload=TLV_21_5, content_format=TLV, observe=0)
    await events.wait(ValuesReported)

    def observed_again() -> Heard | None:
        # For a second after the answer nothing is asked: a retransmission may have crossed it.
        assert client.exchange(register).location() == first
        try:
            return client.expect_request(GET, "3303/0/5700", 0.2)
        except Silence:
            return None

    again = await until(observed_again)
    assert again.token == request.token
    client.answer(again, payload=TLV_21_5, content_format=TLV, observe=0)
    sent = client.notification(again.token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    assert len(await events.of(EndpointRegistered)) == 1
