"""Habits of Zephyr's client, each played with bytes written by hand. docs/devices.md has the table."""

from __future__ import annotations

import asyncio

import pytest
from nats.aio.client import Client

from flownexus_schemas.commands import (
    CommandFailure,
    CreateObjectInstance,
    ExecuteResource,
    ObserveResource,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteComposite,
)
from flownexus_schemas.events import (
    DeregistrationReason,
    EndpointDeregistered,
    EndpointRegistered,
    EndpointUpdated,
    ObservationChanged,
    ObservationState,
    ValuesReported,
)
from flownexus_schemas.profiles import CompositeObservation, ObservationProfile, SingleObservation
from harness.commanded import answered, commanded
from harness.lockstep import (
    ACCEPT,
    ACK,
    BAD_REQUEST,
    CHANGED,
    CONTENT,
    CREATED,
    FETCH,
    GET,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    POST,
    SENML_CBOR,
    SENML_JSON,
    TEXT,
    TLV,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
)
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import TEMPERATURE, observed
from interop.habits import NAME, TLV_21_5, notify, reported, serves

IPATCH, SERVER_ERROR = 0x07, 0xA0
LINKS = "</>;ct=112,</1>;ver=1.1,</1/0>,</3>;ver=1.0,</3/0>,</3303/0>"
PACK = b'[{"bn":"/3303/0/","n":"5700","v":21.5}]'


@pytest.fixture
def registered(device: NewDevice) -> LockstepDevice:
    one: LockstepDevice = device(NAME)
    assert one.register(LINKS, "b=U").code == CREATED
    return one


@pytest.mark.parametrize(
    ("version", "queries", "links", "queue_mode", "object_versions"),
    [
        ("1.0", (), "</1/0>,</2>,</3/0>,</3303/0>", False, {}),
        ("1.1", ("b=U", "Q"), LINKS, True, {"1": "1.1", "3": "1.0"}),
    ],
)
async def test_it_registers_with_the_links_of_its_version(  # noqa: PLR0917
    device: NewDevice,
    events: Events,
    version: str,
    queries: tuple[str, ...],
    links: str,
    queue_mode: bool,
    object_versions: dict[str, str],
) -> None:
    assert device(NAME).register(links, *queries, version=version, lifetime=30).code == CREATED
    (event,) = await events.of(EndpointRegistered)
    stated = event.data
    assert (stated.lwm2m_version, stated.lifetime_s, stated.queue_mode) == (version, 30, queue_mode)
    assert stated.object_versions == object_versions
    assert {"1/0", "3/0", "3303/0"} <= set(stated.object_links)
    assert stated.warnings == ()


async def test_an_update_that_is_refused_is_followed_by_a_register_at_once_which_is_taken(
    device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    first = one.register(LINKS, lifetime=1).location()
    (end,) = await events.wait(EndpointDeregistered)
    assert end.data.reason == DeregistrationReason.EXPIRED
    assert one.update().code == NOT_FOUND
    assert one.register(LINKS).code == CREATED
    assert one.location != first
    assert one.update().code == CHANGED


async def test_an_update_with_a_lifetime_of_0_is_taken_and_keeps_the_registration(
    registered: LockstepDevice, events: Events
) -> None:
    assert registered.update("lt=0").code == CHANGED
    assert registered.update().code == CHANGED
    first, second = await events.of(EndpointUpdated)
    assert first.data.lifetime_s == second.data.lifetime_s > 0
    assert await events.of(EndpointDeregistered) == []


async def test_text_on_an_instance_is_4_05_which_is_the_answer(bus: Client, registered: LockstepDevice) -> None:
    heard: list[Heard] = []
    read = ReadResource(endpoint=NAME, path="3303/0", format=TEXT)
    answer = await answered(bus, read, serves(registered, GET, "3303/0", METHOD_NOT_ALLOWED, heard=heard))
    assert (answer.code, heard[0].number(ACCEPT)) == ("4.05", TEXT)


async def test_values_of_other_resources_in_a_composite_answer_stand_under_their_own_names(
    bus: Client, registered: LockstepDevice, events: Events
) -> None:
    # [{0: "/3/0/0", 3: "Zephyr"}], to a read of 3303/0/5700.
    other = b"\x81\xa2\x00\x66/3/0/0\x03\x66Zephyr"
    read = ReadComposite(endpoint=NAME, paths=("3303/0/5700",), format=SENML_CBOR)
    answer = await answered(bus, read, serves(registered, FETCH, "", CONTENT, other, SENML_CBOR))
    assert [(value.path, value.value) for value in answer.values] == [("3/0/0", "Zephyr")]
    assert reported(await events.of(ValuesReported)) == [[("3/0/0", "Zephyr")]]


async def test_a_composite_write_that_failed_in_the_middle_is_not_sent_again(
    bus: Client, registered: LockstepDevice
) -> None:
    both = (PathValue(path="1/0/1", value=60), PathValue(path="3303/0/5750", value="roof"))
    write = WriteComposite(endpoint=NAME, values=both)

    def refuses() -> None:
        registered.answer(registered.expect_request(IPATCH, ""), NOT_FOUND)

    assert (await answered(bus, write, refuses)).code == "4.04"
    # What it hears next is the next request: 1/0/1 has been written, and is not written once more.
    read = ReadResource(endpoint=NAME, path="1/0/1")
    assert (await answered(bus, read, serves(registered, GET, "1/0/1", CONTENT, b"60", TEXT))).values[0].value == 60


async def test_an_answer_too_large_for_a_client_without_block2_is_its_5_00(
    bus: Client, registered: LockstepDevice
) -> None:
    answer = await answered(bus, ReadResource(endpoint=NAME, path="3"), serves(registered, GET, "3", SERVER_ERROR))
    assert (answer.code, answer.values) == ("5.00", ())
    again = await answered(
        bus, ReadResource(endpoint=NAME, path="3303/0"), serves(registered, GET, "3303/0", CONTENT, TLV_21_5, TLV)
    )
    assert again.code == "2.05"


async def test_a_request_that_it_works_on_is_not_sent_again_as_it_would_be_executed_twice(
    bus: Client, registered: LockstepDevice
) -> None:
    def serve() -> None:
        request = registered.expect_request(POST, "3/0/4")
        registered.send(datagram(ACK, 0, request.message_id))
        with pytest.raises(Silence):
            # The first retransmission would come after 3 s at the latest. RFC 7252, 4.2.
            registered.receive(3.5)
        late = registered.notification(request.token, None, b"", None, code=CHANGED)
        notify(registered, late)

    assert (await answered(bus, ExecuteResource(endpoint=NAME, path="3/0/4"), serve)).code == "2.04"


async def test_observed_again_in_another_format_it_answers_in_that_and_notifies_in_the_old_one(
    bus: Client, registered: LockstepDevice, events: Events
) -> None:
    tokens: list[bytes] = []

    def observe(payload: bytes, content_format: int) -> None:
        request = registered.expect_request(GET, "3303/0/5700")
        tokens.append(request.token)
        registered.answer(request, CONTENT, payload, content_format, observe=0)

    command = ObserveResource(endpoint=NAME, path="3303/0/5700")
    await answered(bus, command.model_copy(update={"format": TLV}), lambda: observe(TLV_21_5, TLV))
    await answered(bus, command.model_copy(update={"format": SENML_JSON}), lambda: observe(PACK, SENML_JSON))
    notify(registered, registered.notification(tokens[-1], 1, TLV_21_5, TLV))
    assert reported(await events.of(ValuesReported)) == [[("3303/0/5700", 21.5)]] * 3
    assert [event.data.content_format for event in await events.of(ValuesReported)] == [TLV, SENML_JSON, TLV]


@pytest.mark.parametrize("profile", [TEMPERATURE])
async def test_after_five_sends_in_vain_it_registers_from_a_new_port_and_updates_at_once(
    device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    former = observed(one)
    await events.wait(ValuesReported)
    lost = one.notification(former, 1, TLV_21_5)
    for _ in range(5):
        one.send(lost)
    one.move()
    token = observed(one)
    assert token != former
    assert one.update().code == CHANGED
    notify(one, one.notification(token, 1, TLV_21_5))
    assert [event.data.reason for event in await events.of(EndpointDeregistered)] == [DeregistrationReason.REPLACED]
    # The first values of both observations, the notification that came five times, and the last.
    assert len(await events.of(ValuesReported)) == 4


async def test_two_updates_in_a_row_after_its_sleep_are_both_taken(device: NewDevice, events: Events) -> None:
    one = device(NAME)
    one.register(LINKS, "b=U", "Q")
    assert (one.update().code, one.update().code) == (CHANGED, CHANGED)
    both = await events.of(EndpointUpdated)
    assert [event.data.queue_mode for event in both] == [True, True]


@pytest.mark.parametrize("profile", [TEMPERATURE])
async def test_after_its_sleep_it_updates_from_a_new_port_and_stays_observed(device: NewDevice, events: Events) -> None:
    one = device(NAME)
    token = observed(one)
    await events.wait(ValuesReported)
    one.move()
    assert one.update().code == CHANGED
    notify(one, one.notification(token, 1, TLV_21_5))
    (updated,) = await events.of(EndpointUpdated)
    assert updated.data.address.port == one.port
    assert len(await events.of(EndpointRegistered)) == 1


async def test_a_create_of_an_instance_that_is_there_is_its_2_01(bus: Client, registered: LockstepDevice) -> None:
    create = CreateObjectInstance(endpoint=NAME, path="3303/0", values=(PathValue(path="3303/0/5750", value="roof"),))
    answer = await answered(bus, create, serves(registered, POST, "3303", CREATED))
    assert (answer.code, answer.location) == ("2.01", None)


@pytest.mark.parametrize(
    "profile",
    [
        ObservationProfile(
            observe=(SingleObservation(path="0"), SingleObservation(path="3303/0/5700")),
            observe_composite=(CompositeObservation(paths=("0/0/5",), event_type="keys"),),
            read_once=("0/0",),
        )
    ],
)
async def test_a_readable_security_object_is_listed_and_its_keys_are_never_asked_for(
    bus: Client, device: NewDevice, events: Events
) -> None:
    one = device(NAME)
    links = "</>;ct=112,</0/0>,</1/0>,</3303/0>"
    commands = (
        ReadResource(endpoint=NAME, path="0/0"),
        ReadComposite(endpoint=NAME, paths=("3303/0", "0/0/5")),
        ObserveResource(endpoint=NAME, path="0"),
        WriteComposite(endpoint=NAME, values=(PathValue(path="0/0/0", value="coap://elsewhere"),)),
    )
    # What the profile says comes first: of it only this.
    assert one.register(links).code == CREATED
    one.answer(await asyncio.to_thread(one.expect_request, GET, "3303/0/5700"), CONTENT, TLV_21_5, TLV, 0)
    for command in commands:
        failure = await commanded(bus, command)
        assert isinstance(failure, CommandFailure)
        assert (failure.error, "Security" in failure.reason) == ("invalid", True)
    read = ReadResource(endpoint=NAME, path="1/0/1")
    assert (await answered(bus, read, serves(one, GET, "1/0/1", CONTENT, b"60", TEXT))).code == "2.05"
    (event,) = await events.of(EndpointRegistered)
    assert "0/0" in event.data.object_links


@pytest.mark.parametrize("profile", [TEMPERATURE])
async def test_an_observation_that_it_refuses_with_4_00_is_told_and_the_rest_is_served(
    device: NewDevice, events: Events, bus: Client
) -> None:
    one = device(NAME)
    one.register(LINKS)
    one.answer(await asyncio.to_thread(one.expect_request, GET, "3303/0/5700"), BAD_REQUEST)
    (refused,) = await events.wait(ObservationChanged)
    assert (refused.data.state, refused.data.code) == (ObservationState.REFUSED, "4.00")
    read = ReadResource(endpoint=NAME, path="3303/0")
    assert (await answered(bus, read, serves(one, GET, "3303/0", CONTENT, TLV_21_5, TLV))).code == "2.05"
