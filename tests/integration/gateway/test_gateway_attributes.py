"""Attributes and formats of a profile's entries. LwM2M Core 1.1.1, 5.1.2 and 6.4.1."""

from __future__ import annotations

import pytest
from nats.js import JetStreamContext

from flownexus_schemas.events import ObservationChanged, ObservationState, ValuesReported
from flownexus_schemas.profiles import CompositeObservation, ObservationProfile, SingleObservation
from harness.lockstep import (
    ACCEPT,
    BAD_REQUEST,
    CHANGED,
    FETCH,
    GET,
    PUT,
    SENML_JSON,
    TLV,
    URI_QUERY,
    Heard,
    LockstepDevice,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice, put_profile
from integration.gateway.observed_device import SENML_PACK, TLV_21_5

WITH_ATTRIBUTES = ObservationProfile(
    observe=(SingleObservation(path="3303/0/5700", attributes={"pmin": 10, "pmax": 60, "st": 0.5}),)
)
COMPOSITE = ObservationProfile(
    observe_composite=(
        CompositeObservation(paths=("3303", "3304"), event_type="climate", attributes={"pmin": 5}, format=SENML_JSON),
    )
)


@pytest.fixture
def profile() -> ObservationProfile:
    return WITH_ATTRIBUTES


def queries(request: Heard) -> set[bytes]:
    return set(request.all(URI_QUERY))


def is_observed(client: LockstepDevice) -> bytes:
    request = client.expect_request(GET, "3303/0/5700")
    client.answer(request, payload=TLV_21_5, content_format=TLV, observe=0)
    return request.token


async def test_attributes_are_written_before_observing_and_their_outcome_is_told(
    device: NewDevice, events: Events
) -> None:
    client = device()
    client.register("</3303/0>")
    written = client.expect_request(PUT, "3303/0/5700")
    assert queries(written) == {b"pmin=10", b"pmax=60", b"st=0.5"}
    client.answer(written, CHANGED)
    is_observed(client)
    (told,) = await events.wait(ObservationChanged)
    assert told.data.state == ObservationState.ESTABLISHED
    assert (told.data.attributes, told.data.attributes_code) == ({"pmin": 10, "pmax": 60, "st": 0.5}, "2.04")


async def test_refused_attributes_are_told_and_the_observation_goes_on(device: NewDevice, events: Events) -> None:
    client = device()
    client.register("</3303/0>")
    refused = client.expect_request(PUT, "3303/0/5700")
    client.answer(refused, BAD_REQUEST, b"no st here")
    is_observed(client)
    (told,) = await events.wait(ObservationChanged)
    assert (told.data.state, told.data.code) == (ObservationState.ESTABLISHED, "2.05")
    assert (told.data.attributes_code, told.data.attributes_diagnostic) == ("4.00", "3303/0/5700: no st here")
    assert len(await events.wait(ValuesReported)) == 1


async def test_attributes_that_the_profile_has_no_longer_are_removed_at_the_next_registration(
    device: NewDevice, events: Events, gateway: ServiceProcess, js: JetStreamContext
) -> None:
    client = device()
    client.register("</3303/0>", message_id=1)
    client.answer(client.expect_request(PUT, "3303/0/5700"), CHANGED)
    is_observed(client)
    await events.wait(ObservationChanged)
    await put_profile(
        js, ObservationProfile(observe=(SingleObservation(path="3303/0/5700", attributes={"pmin": 20}),))
    )  # fmt: skip
    await until(lambda: gateway.log_text().count("profile.changed") == 2, what="the gateway has the other profile")
    client.register("</3303/0>", message_id=2)
    written = client.expect_request(PUT, "3303/0/5700")
    assert queries(written) == {b"pmin=20", b"pmax", b"st"}


@pytest.mark.parametrize("profile", [COMPOSITE])
async def test_each_path_of_a_composite_observation_gets_the_attributes_and_the_entry_its_format(
    device: NewDevice, events: Events
) -> None:
    client = device()
    client.register('</>;rt="oma.lwm2m";ct=112,</3303/0>,</3304/0>')
    for path in ("3303", "3304"):
        written = client.expect_request(PUT, path)
        assert queries(written) == {b"pmin=5"}
        client.answer(written, CHANGED)
    request = client.expect_request(FETCH, "")
    assert request.number(ACCEPT) == SENML_JSON
    client.answer(request, payload=SENML_PACK, content_format=SENML_JSON, observe=0)
    (told,) = await events.wait(ObservationChanged)
    assert (told.data.composite, told.data.attributes_code) == (True, "2.04")


@pytest.mark.parametrize(
    "profile", [ObservationProfile(observe=(SingleObservation(path="3303/0/5700", format=SENML_JSON),), format=TLV)]
)
async def test_an_entry_asks_in_its_own_format(device: NewDevice) -> None:
    client = device()
    client.register("</3303/0>")
    assert client.expect_request(GET, "3303/0/5700").number(ACCEPT) == SENML_JSON
