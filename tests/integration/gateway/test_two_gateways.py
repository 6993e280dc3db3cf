"""A device that speaks to one gateway, then to another: one registration, one set of observations, every event once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandAnswer, ReadResource, answer_adapter
from flownexus_schemas.events import (
    DeregistrationReason,
    EndpointDeregistered,
    EndpointRegistered,
    EndpointUpdated,
    ObservationChanged,
    ObservationState,
    ValuesReported,
)
from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import (
    CHANGED,
    CON,
    CREATED,
    DELETED,
    GET,
    NOT_FOUND,
    POST,
    RST,
    TEXT,
    TLV,
    URI_PATH,
    Heard,
    LockstepDevice,
    datagram,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.gateway_metrics import metric
from integration.gateway.observed_device import TEMPERATURE, TLV_21_5, is_ack, observed
from integration.gateway.two_gateways import held_by, speaks_to, stored, stored_as_observed

LINKS = "</3/0>,</3303/0>"


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


@pytest.fixture
def second(gateway: ServiceProcess, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    assert gateway.is_running
    return service("flownexus_gateway", FLOWNEXUS_GATEWAY_ID="gw-2")


async def test_a_notification_moves_the_registration_to_the_gateway_that_it_came_to(
    device: NewDevice, events: Events, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    """Also from the same address: behind a load balancer the device does not see that it speaks to another one."""
    client = device()
    token = observed(client)
    await stored_as_observed(js, "device-1")
    for number, (where, gateway_id) in enumerate([(second, "gw-2"), (gateway, "gw-1"), (second, "gw-2")], start=1):
        speaks_to(client, where)
        sent = client.notification(token, number, TLV_21_5)
        assert is_ack(client.exchange(sent), sent)
        entry = await held_by(js, "device-1", gateway_id)
        assert [observation.token for observation in entry.observations] == [token.hex()]
    assert len(await events.wait(ValuesReported, 4)) == 4
    assert len(await events.of(EndpointRegistered)) == 1


async def test_a_send_moves_the_registration_too(
    device: NewDevice, js: JetStreamContext, second: ServiceProcess
) -> None:
    client = device()
    observed(client)
    await stored_as_observed(js, "device-1")
    speaks_to(client, second)
    options = [(URI_PATH, b"dp"), (12, bytes([110]))]
    pack = b'[{"n":"/3303/0/5700","v":1}]'
    assert client.exchange(datagram(CON, POST, next(client.message_ids), b"s", options, pack)).code == CHANGED
    await held_by(js, "device-1", "gw-2")


async def test_updates_at_either_gateway_in_turn_keep_one_registration(
    device: NewDevice, events: Events, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    client = device()
    token = observed(client)
    await stored_as_observed(js, "device-1")
    for lifetime, where in ((301, second), (302, gateway), (303, second), (304, gateway)):
        speaks_to(client, where)
        assert client.update(f"lt={lifetime}").code == CHANGED
    entry = await held_by(js, "device-1", "gw-1")
    assert entry.registration.lifetime_s == 304
    assert [observation.token for observation in entry.observations] == [token.hex()]
    assert [event.data.gateway for event in await events.of(EndpointUpdated)] == ["gw-2", "gw-1", "gw-2", "gw-1"]


async def test_what_one_gateway_saves_late_does_not_undo_the_move_to_the_other(
    device: NewDevice, events: Events, js: JetStreamContext, second: ServiceProcess
) -> None:
    """The first gateway is answered only after the device went on to the second."""
    client = device()
    assert client.register(LINKS).code == CREATED
    first = client.expect_request(GET, "3303/0/5700")
    speaks_to(client, second)
    assert client.update("lt=77").code == CHANGED
    again = client.expect_request(GET, "3303/0/5700")
    assert again.token == first.token
    client.answer(again, payload=TLV_21_5, content_format=TLV, observe=0)
    await events.wait(ObservationChanged)
    await stored_as_observed(js, "device-1")
    entry = await held_by(js, "device-1", "gw-2")
    assert entry.registration.lifetime_s == 77
    outcomes = {event.data.state for event in await events.of(ObservationChanged)}
    assert outcomes == {ObservationState.ESTABLISHED}


async def test_a_register_at_the_other_gateway_replaces_the_registration_once(
    device: NewDevice, events: Events, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    client = device()
    former = observed(client)
    location = client.location
    await until(lambda: metric(second, "flownexus_gateway_registrations") == 1, what="the other gateway knows of it")
    speaks_to(client, second)
    token = observed(client)
    await stored_as_observed(js, "device-1")
    (end,) = await events.of(EndpointDeregistered)
    assert (end.data.registration_id, end.data.reason) == (location.split("/")[1], DeregistrationReason.REPLACED)
    speaks_to(client, gateway)
    sent = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    assert client.exchange(client.notification(former, 1, TLV_21_5)).type == RST
    client.location = location
    assert client.update().code == NOT_FOUND


async def test_a_deregister_at_the_other_gateway_ends_the_registration_at_both(
    device: NewDevice, events: Events, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    client = device()
    token = observed(client)
    speaks_to(client, second)
    assert client.deregister().code == DELETED
    assert await stored(js, "device-1") is None
    speaks_to(client, gateway)

    def is_forgotten() -> bool:
        return client.exchange(client.notification(token, 1, TLV_21_5)).type == RST

    await until(is_forgotten)
    assert client.update().code == NOT_FOUND
    assert len(await events.of(EndpointDeregistered)) == 1
    assert client.register(LINKS).code == CREATED


async def test_an_update_right_after_the_register_at_the_other_gateway_is_known_there(
    device: NewDevice, second: ServiceProcess, gateway: ServiceProcess
) -> None:
    for number in range(20):
        client = device(f"device-{number}")
        assert client.register("</3/0>").code == CREATED
        speaks_to(client, second if client.server[1] == int(gateway.env["FLOWNEXUS_COAP_PORT"]) else gateway)
        assert client.update().code == CHANGED


async def test_one_message_at_one_gateway_then_at_the_other_is_one_event(
    device: NewDevice, events: Events, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    client = device()
    register = client.register_datagram(LINKS, message_id=1)
    locations = set()
    for where in (gateway, second):
        speaks_to(client, where)
        client.send(register)
        heard = client.receive()
        while heard.code != CREATED:
            heard = client.receive()
        locations.add(heard.location())
    assert len(locations) == 1
    client.location = locations.pop()
    speaks_to(client, second)

    def observed_by_either(request: Heard) -> None:
        client.answer(request, payload=TLV_21_5, content_format=TLV, observe=0)

    # The first gateway may ask too, and again.
    client.on_request = observed_by_either
    request = await asyncio.to_thread(client.expect_request, GET, "3303/0/5700")
    observed_by_either(request)
    await events.wait(ValuesReported)
    notification = client.notification(request.token, 1, TLV_21_5)
    for where in (gateway, second):
        speaks_to(client, where)
        assert is_ack(client.exchange(notification), notification)
        assert client.update("lt=500", message_id=2).code == CHANGED
    kinds = [event.type.split(".")[3] for event in await events.fetch()]
    assert kinds.count("registered") == kinds.count("updated") == 1
    assert kinds.count("reported") == 2


@pytest.mark.parametrize("profile", [ObservationProfile()])
async def test_of_two_registers_at_one_moment_one_becomes_the_registration(
    device: NewDevice, events: Events, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    """What the stream says at its end is what is stored, and the other location is unknown."""
    for number in range(20):
        endpoint = f"device-{number}"
        one, other = device(endpoint), device(endpoint)
        speaks_to(other, second)
        one.send(one.register_datagram("</3/0>", message_id=1))
        other.send(other.register_datagram("</3/0>", message_id=2))
        one.location, other.location = one.receive().location(), other.receive().location()
        assert one.location != other.location
        entry = await stored(js, endpoint)
        assert entry is not None
        current = entry.registration.registration_id
        assert current in {one.location[3:], other.location[3:]}
        registered = [event.data.registration_id for event in await events.of(EndpointRegistered, endpoint)]
        ended = {event.data.registration_id for event in await events.of(EndpointDeregistered, endpoint)}
        assert set(registered) - ended == {current}
        assert registered[-1] == current
        for client in (one, other):
            is_current = client.location[3:] == current
            assert client.update().code == (CHANGED if is_current else NOT_FOUND)


async def test_a_request_reaches_the_device_through_the_gateway_that_it_spoke_to_last(
    device: NewDevice, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    """Whichever is asked; the device answers to the one that it spoke to."""
    client = device()
    token = observed(client)
    await stored_as_observed(js, "device-1")
    speaks_to(client, second)
    sent = client.notification(token, 1, TLV_21_5)
    assert is_ack(client.exchange(sent), sent)
    await held_by(js, "device-1", "gw-2")
    for asked in (subjects.gateway_request("gw-1"), subjects.gateway_request("gw-2"), subjects.ANY_GATEWAY_REQUEST):
        assert await answer_of(js, client, asked) == "2.05"


async def test_a_request_for_a_device_of_a_gateway_that_was_killed_is_carried_out_by_another(
    device: NewDevice, js: JetStreamContext, gateway: ServiceProcess, second: ServiceProcess
) -> None:
    client = device()
    observed(client)
    await stored_as_observed(js, "device-1")
    gateway.kill()
    speaks_to(client, second)

    assert await answer_of(js, client, subjects.ANY_GATEWAY_REQUEST) == "2.05"


async def answer_of(js: JetStreamContext, device: LockstepDevice, subject: str) -> str:
    """The code that the device answered to a read."""
    command = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=5).model_dump_json().encode()
    asked = asyncio.create_task(js._nc.request(subject, command, timeout=20))
    await asyncio.to_thread(
        lambda: device.answer(device.expect_request(GET, "3/0/0"), payload=b"maker", content_format=TEXT)
    )
    answer = answer_adapter.validate_json((await asked).data)
    assert isinstance(answer, CommandAnswer), answer
    return answer.code
