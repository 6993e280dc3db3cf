"""Requests from the bus to a device and its answers. LwM2M Core 1.1.1, 6.3, 6.4."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import (
    CancelObservation,
    Command,
    CommandAnswer,
    CommandFailure,
    CreateObjectInstance,
    DeleteObjectInstance,
    DiscoverResources,
    ExecuteResource,
    ObserveResource,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteAttributes,
    WriteResource,
    answer_adapter,
)
from flownexus_schemas.events import ObservationChanged, ObservationState, Trigger, ValuesReported
from harness.commanded import commanded
from harness.lockstep import (
    ACK,
    CONTENT_FORMAT,
    CREATED,
    DELETE,
    DELETED,
    FETCH,
    GET,
    LINK_FORMAT,
    LOCATION_PATH,
    OBSERVE,
    POST,
    PUT,
    RST,
    SENML_JSON,
    TEXT,
    TLV,
    URI_QUERY,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
)
from integration.gateway.gateway_events import Events, NewDevice

CHANGED = 0x44
LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>'
TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


@pytest.fixture
def registered(device: NewDevice) -> LockstepDevice:
    one: LockstepDevice = device()
    one.register(LINKS)
    return one


async def ask(
    client: Client, command: Command, serve: Callable[[], None] = lambda: None
) -> CommandAnswer | CommandFailure:
    """Send a command while `serve` plays the device."""
    payload = command.model_dump_json().encode()
    request = asyncio.create_task(client.request(subjects.gateway_request("gw-1"), payload, timeout=10))
    await asyncio.to_thread(serve)
    return answer_adapter.validate_json((await request).data)


async def answered(client: Client, command: Command, serve: Callable[[], None]) -> CommandAnswer:
    answer = await ask(client, command, serve)
    assert isinstance(answer, CommandAnswer), answer
    return answer


async def test_read_gives_the_values_and_reports_them(
    client: Client, registered: LockstepDevice, events: Events
) -> None:
    def serve() -> None:
        registered.answer(registered.expect_request(GET, "3303/0"), payload=TLV_21_5, content_format=TLV)

    answer = await answered(client, ReadResource(endpoint="device-1", path="/3303/0"), serve)
    assert answer.code == "2.05"
    assert [(value.path, value.value) for value in answer.values] == [("3303/0/5700", 21.5)]
    (report,) = await events.of(ValuesReported)
    assert report.data.trigger == Trigger.READ


async def test_the_devices_refusal_is_the_answer(client: Client, registered: LockstepDevice) -> None:
    answer = await answered(
        client,
        ReadResource(endpoint="device-1", path="3/0/99"),
        lambda: registered.answer(registered.expect_request(GET, "3/0/99"), 0x84, b"no such resource"),
    )
    assert (answer.code, answer.diagnostic) == ("4.04", "no such resource")


async def test_read_composite_is_one_report(client: Client, registered: LockstepDevice, events: Events) -> None:
    def serve() -> None:
        pack = b'[{"n":"/3303/0/5700","v":1.5},{"n":"/3/0/0","vs":"Fn"}]'
        registered.answer(registered.expect_request(FETCH, ""), payload=pack, content_format=SENML_JSON)

    answer = await answered(client, ReadComposite(endpoint="device-1", paths=("3303/0/5700", "3/0/0")), serve)
    assert [value.value for value in answer.values] == [1.5, "Fn"]
    (report,) = await events.of(ValuesReported)
    assert report.data.composite


async def test_write_of_one_resource_is_a_put_in_text(client: Client, registered: LockstepDevice) -> None:
    heard: list[Heard] = []

    def serve() -> None:
        heard.append(registered.expect_request(PUT, "1/0/1"))
        registered.answer(heard[0], CHANGED)

    command = WriteResource(endpoint="device-1", path="1/0/1", values=(PathValue(path="1/0/1", value=60),))
    assert (await answered(client, command, serve)).code == "2.04"
    assert (heard[0].number(CONTENT_FORMAT), heard[0].payload) == (TEXT, b"60")


async def test_execute_create_delete_discover_and_attributes(client: Client, registered: LockstepDevice) -> None:
    def executes() -> None:
        heard = registered.expect_request(POST, "3/0/4")
        assert heard.payload == b"0='a'"
        registered.answer(heard, CHANGED)

    execute = ExecuteResource(endpoint="device-1", path="3/0/4", arguments="0='a'")
    assert (await answered(client, execute, executes)).code == "2.04"

    def creates() -> None:
        heard = registered.expect_request(POST, "3303")
        location = [(LOCATION_PATH, b"3303"), (LOCATION_PATH, b"7")]
        registered.send(datagram(ACK, CREATED, heard.message_id, heard.token, location))

    create = CreateObjectInstance(
        endpoint="device-1", path="3303/7", values=(PathValue(path="3303/7/5701", value="Cel"),)
    )
    assert (await answered(client, create, creates)).location == "3303/7"

    delete = DeleteObjectInstance(endpoint="device-1", path="3303/7")
    deleted = await answered(
        client, delete, lambda: registered.answer(registered.expect_request(DELETE, "3303/7"), DELETED)
    )
    assert deleted.code == "2.02"

    def discovers() -> None:
        registered.answer(registered.expect_request(GET, "3303"), payload=b"</3303/0>", content_format=LINK_FORMAT)

    assert (await answered(client, DiscoverResources(endpoint="device-1", path="3303"), discovers)).links == "</3303/0>"

    def takes_attributes() -> None:
        heard = registered.expect_request(PUT, "3303/0/5700")
        assert heard.all(URI_QUERY) == [b"pmin=5", b"gt"]
        registered.answer(heard, CHANGED)

    attributes = WriteAttributes(endpoint="device-1", path="3303/0/5700", attributes={"pmin": 5, "gt": None})
    assert (await answered(client, attributes, takes_attributes)).code == "2.04"


async def test_observe_then_notify_then_cancel_with_the_same_token(
    client: Client, registered: LockstepDevice, events: Events
) -> None:
    heard: list[Heard] = []

    def observed() -> None:
        heard.append(registered.expect_request(GET, "3303/0/5700"))
        registered.answer(heard[0], payload=TLV_21_5, content_format=TLV, observe=0)

    observe = ObserveResource(endpoint="device-1", path="3303/0/5700")
    assert [value.value for value in (await answered(client, observe, observed)).values] == [21.5]
    token = heard[0].token
    assert registered.exchange(registered.notification(token, 1, TLV_21_5)).type == ACK
    assert len(await events.of(ValuesReported)) == 2

    def cancelled() -> None:
        request = registered.expect_request(GET, "3303/0/5700")
        assert (request.token, request.number(OBSERVE)) == (token, 1)
        registered.answer(request, payload=TLV_21_5, content_format=TLV)

    cancel = CancelObservation(endpoint="device-1", paths=("3303/0/5700",))
    assert (await answered(client, cancel, cancelled)).code == "2.05"
    states = [event.data.state for event in await events.of(ObservationChanged)]
    assert states == [ObservationState.ESTABLISHED, ObservationState.CANCELLED]
    assert registered.exchange(registered.notification(token, 2, TLV_21_5)).type == RST


async def test_requests_to_one_device_wait_for_each_other(client: Client, registered: LockstepDevice) -> None:
    def one_at_a_time() -> None:
        for _ in range(2):
            heard = registered.receive()
            registered.answer(heard, 0x84)

    first, second = ReadResource(endpoint="device-1", path="3/0/0"), ReadResource(endpoint="device-1", path="3/0/1")
    answers = await asyncio.gather(ask(client, first, one_at_a_time), ask(client, second))
    assert [answer.code for answer in answers if isinstance(answer, CommandAnswer)] == ["4.04", "4.04"]


async def test_a_request_whose_time_is_over_is_not_sent_again_and_holds_nothing_up(
    client: Client, device: NewDevice
) -> None:
    one = device()
    one.register(LINKS)
    first = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=1)
    assert isinstance(await commanded(client, first, lambda: one.expect_request(GET, "3/0/0")), CommandFailure)

    def serve() -> None:
        one.answer(one.expect_request(GET, "3/0/1"), payload=b"model", content_format=TEXT)
        with pytest.raises(Silence):
            one.receive()

    answer = await commanded(client, first.model_copy(update={"path": "3/0/1", "timeout_s": 5}), serve)

    assert isinstance(answer, CommandAnswer)
    assert answer.code == "2.05"


async def test_a_device_that_registers_anew_is_soon_not_waited_for_any_more(client: Client, device: NewDevice) -> None:
    """It was switched off and on, and has another port: the request before that would be repeated for over a minute."""
    one = device()
    one.register(LINKS)
    first = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=90)

    def restarts() -> None:
        one.expect_request(GET, "3/0/0")
        one.move()
        one.register(LINKS)

    failure = await commanded(client, first, restarts)
    assert isinstance(failure, CommandFailure)
    assert (failure.error, "its registration ended before it answered" in failure.reason) == ("no-answer", True)


async def test_an_answer_that_crosses_a_new_register_counts(client: Client, device: NewDevice) -> None:
    one = device()
    one.register(LINKS)

    def registers_and_answers() -> None:
        asked = one.expect_request(GET, "3/0/0")
        one.register(LINKS)
        one.answer(asked, payload=b"maker", content_format=TEXT)

    answer = await commanded(client, ReadResource(endpoint="device-1", path="3/0/0"), registers_and_answers)
    assert isinstance(answer, CommandAnswer)
    assert (answer.code, [value.value for value in answer.values]) == ("2.05", ["maker"])


@pytest.mark.parametrize(
    ("command", "error"),
    [
        (ReadResource(endpoint="nobody", path="3/0"), "not-registered"),
        (ReadResource(endpoint="device-1", path="3/0", timeout_s=0.2), "no-answer"),
        (WriteResource(endpoint="device-1", path="1/0/1", values=(PathValue(path="1/0/1", value="x"),)), "invalid"),
        (CancelObservation(endpoint="device-1", paths=("3/0",)), "invalid"),
    ],
)
async def test_what_has_no_answer_of_the_device_says_why(
    client: Client, registered: LockstepDevice, command: Command, error: str
) -> None:
    answer = await ask(client, command)
    assert isinstance(answer, CommandFailure)
    assert answer.error == error
