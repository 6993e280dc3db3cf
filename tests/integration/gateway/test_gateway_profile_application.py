"""A profile applied to devices that are registered, without a new registration."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandFailure, ObserveResource
from flownexus_schemas.events import ObservationChanged, ObservationState, ValuesReported
from flownexus_schemas.profile_standing import AskProfile, ProfileStanding, standing_adapter
from flownexus_schemas.profiles import DEFAULT_KEY, CompositeObservation, ObservationProfile, SingleObservation
from flownexus_schemas.subjects import Bucket
from harness.commanded import answered
from harness.embedded import RunningNats
from harness.lockstep import (
    ACCEPT,
    ACK,
    CHANGED,
    FETCH,
    GET,
    NOT_FOUND,
    OBSERVE,
    PUT,
    SENML_JSON,
    TLV,
    URI_QUERY,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
)
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice
from integration.gateway.observed_device import SENML_PACK, TEMPERATURE, TLV_21_5, is_ack, observed

LINKS = "</3303/0>,</3304/0>"
HUMIDITY = SingleObservation(path="3304/0/5700")


@pytest.fixture
def profile() -> ObservationProfile:
    return TEMPERATURE


@pytest.fixture
async def client(gateway: ServiceProcess, nats_server: RunningNats) -> AsyncIterator[Client]:
    connection = await nats.connect(nats_server.url)
    yield connection
    await connection.close()


async def put(js: JetStreamContext, *observe: SingleObservation, **others: object) -> int:
    """Change the profile; the revision that the gateway has to know."""
    changed = ObservationProfile.model_validate({"observe": observe, **others})
    return await (await js.key_value(Bucket.OBSERVATION_PROFILES)).put(DEFAULT_KEY, changed.model_dump_json().encode())


async def asked(
    client: Client, question: AskProfile, serve: Callable[[], object] = lambda: None
) -> ProfileStanding | CommandFailure:
    request = asyncio.create_task(
        client.request(subjects.gateway_profile("gw-1"), question.model_dump_json().encode(), timeout=30)
    )
    await asyncio.to_thread(serve)
    return standing_adapter.validate_json((await request).data)


async def applied(
    client: Client, revision: int, serve: Callable[[], object] = lambda: None, timeout_s: float = 15
) -> ProfileStanding:
    question = AskProfile(endpoint="device-1", apply=True, timeout_s=timeout_s, profiles_revision=revision)
    standing = await asked(client, question, serve)
    assert isinstance(standing, ProfileStanding), standing
    return standing


async def standing_of(client: Client) -> ProfileStanding:
    standing = await asked(client, AskProfile(endpoint="device-1"))
    assert isinstance(standing, ProfileStanding), standing
    return standing


def answer(device: LockstepDevice, request: Heard, observe: int | None = 0) -> None:
    device.answer(request, payload=TLV_21_5, content_format=TLV, observe=observe)


async def test_what_is_new_is_observed_and_what_is_gone_is_cancelled_at_once(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    token = observed(one, LINKS)
    await events.wait(ValuesReported)

    def serve() -> None:
        cancelled = one.expect_request(GET, "3303/0/5700")
        assert (cancelled.number(OBSERVE), cancelled.token) == (1, token)
        answer(one, cancelled, observe=None)
        begun = one.expect_request(GET, "3304/0/5700")
        assert begun.number(OBSERVE) == 0
        answer(one, begun)

    standing = await applied(client, await put(js, HUMIDITY), serve)
    assert (standing.profile, standing.state) == ("default", "in-force")
    assert (standing.observed, standing.cancelled) == (("3304/0/5700",), ("3303/0/5700",))
    states = [(e.data.observation.paths[0], e.data.state) for e in await events.wait(ObservationChanged, 3)]
    assert states[1:] == [
        ("3303/0/5700", ObservationState.CANCELLED),
        ("3304/0/5700", ObservationState.ESTABLISHED),
    ]
    assert (await standing_of(client)).state == "in-force"


async def test_what_is_in_line_is_left_alone(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    token = observed(one, LINKS)
    await events.wait(ValuesReported)
    standing = await applied(client, await put(js, *TEMPERATURE.observe))
    assert (standing.state, standing.observed, standing.cancelled, standing.changed) == ("in-force", (), (), ())
    sent = one.notification(token, 5, TLV_21_5)
    assert is_ack(one.exchange(sent), sent)


async def test_changed_attributes_are_written_and_the_observation_keeps_its_token(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    token = observed(one, LINKS)
    await events.wait(ValuesReported)

    def takes(*expected: bytes) -> Callable[[], None]:
        def serve() -> None:
            written = one.expect_request(PUT, "3303/0/5700")
            assert set(written.all(URI_QUERY)) == set(expected)
            one.answer(written, CHANGED)

        return serve

    first = SingleObservation(path="3303/0/5700", attributes={"pmin": 10, "gt": 30})
    standing = await applied(client, await put(js, first), takes(b"pmin=10", b"gt=30"))
    assert (standing.state, standing.changed) == ("in-force", ("3303/0/5700",))
    second = SingleObservation(path="3303/0/5700", attributes={"gt": 25})
    await applied(client, await put(js, second), takes(b"pmin", b"gt=25"))
    *_, last = await events.wait(ObservationChanged, 3)
    assert (last.data.state, last.data.attributes, last.data.attributes_code) == (
        ObservationState.ESTABLISHED, {"gt": 25}, "2.04",
    )  # fmt: skip
    sent = one.notification(token, 5, TLV_21_5)
    assert is_ack(one.exchange(sent), sent)


async def test_another_format_is_asked_for_with_the_same_token(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    token = observed(one, LINKS)
    await events.wait(ValuesReported)

    def serve() -> None:
        again = one.expect_request(GET, "3303/0/5700")
        assert (again.token, again.number(ACCEPT), again.number(OBSERVE)) == (token, SENML_JSON, 0)
        one.answer(again, payload=b'[{"n":"/3303/0/5700","v":22}]', content_format=SENML_JSON, observe=1)

    revision = await put(js, SingleObservation(path="3303/0/5700", format=SENML_JSON))
    assert (await applied(client, revision, serve)).observed == ("3303/0/5700",)


async def test_an_event_type_changes_without_asking_the_device(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    climate = CompositeObservation(paths=("3303", "3304"), event_type="climate")
    await put(js, observe_composite=(climate,))
    await gateway_knows(client, js)
    one = device()
    one.register(f'</>;rt="oma.lwm2m";ct=110,{LINKS}')
    request = one.expect_request(FETCH, "")
    one.answer(request, payload=SENML_PACK, content_format=SENML_JSON, observe=0)
    await events.wait(ValuesReported)
    weather = climate.model_copy(update={"event_type": "weather"})
    assert (await applied(client, await put(js, observe_composite=(weather,)))).changed == ("3303,3304",)
    sent = one.notification(request.token, 2, SENML_PACK, SENML_JSON)
    assert is_ack(one.exchange(sent), sent)
    assert [event.data.event_type for event in await events.wait(ValuesReported, 2)] == ["climate", "weather"]


async def gateway_knows(client: Client, js: JetStreamContext) -> None:
    """Wait until the gateway has the newest profiles: it answers no sooner."""
    last = (await js.stream_info(f"KV_{Bucket.OBSERVATION_PROFILES}")).state.last_seq
    answer = await asked(client, AskProfile(endpoint="nobody", profiles_revision=last))
    assert isinstance(answer, CommandFailure)
    assert answer.error == "not-registered"


async def test_what_somebody_asked_to_observe_goes_on(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    observed(one, LINKS)
    await events.wait(ValuesReported)
    await answered(
        client,
        ObserveResource(endpoint="device-1", path="3304/0/5700"),
        lambda: answer(one, one.expect_request(GET, "3304/0/5700")),
    )

    def serve() -> None:
        cancelled = one.expect_request(GET, "3303/0/5700")
        assert cancelled.number(OBSERVE) == 1
        answer(one, cancelled, observe=None)

    standing = await applied(client, await put(js), serve)
    assert (standing.state, standing.cancelled) == ("in-force", ("3303/0/5700",))


async def test_a_refusal_is_told_and_the_rest_is_done(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    observed(one, LINKS)
    await events.wait(ValuesReported)

    def serve() -> None:
        one.answer(one.expect_request(GET, "3304/0/1"), NOT_FOUND)
        answer(one, one.expect_request(GET, "3304/0/5700"))

    revision = await put(js, *TEMPERATURE.observe, SingleObservation(path="3304/0/1"), HUMIDITY)
    standing = await applied(client, revision, serve)
    assert (standing.state, standing.refused, standing.observed) == ("differs", ("3304/0/1",), ("3304/0/5700",))
    assert standing.differences == ("3304/0/1",)


@pytest.mark.parametrize("profile", [ObservationProfile(observe=TEMPERATURE.observe, awake_window_s=0.2)])
async def test_a_sleeping_device_waits_until_its_next_sign_of_life_also_over_a_restart(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext, gateway: ServiceProcess
) -> None:
    one = device()
    one.register(LINKS, "b=U", "Q")
    answer(one, one.expect_request(GET, "3303/0/5700"))
    await events.wait(ValuesReported)
    revision = await put(js, *TEMPERATURE.observe, HUMIDITY, awake_window_s=0.2)

    async def asleep() -> list[ProfileStanding]:
        standing = await applied(client, revision, timeout_s=0)
        return [standing] if standing.state == "asleep" else []

    with pytest.raises(Silence):
        one.receive(timeout_s=0.3)  # longer than it is awake
    waiting: list[ProfileStanding] = await until(asleep, what="the device is known to sleep")
    assert waiting[0].differences == ("3304/0/5700",)
    gateway.kill()
    gateway.start()
    with pytest.raises(Silence):
        one.receive(timeout_s=0.3)
    assert (await standing_of(client)).state == "asleep"
    assert one.update().code == CHANGED
    answer(one, one.expect_request(GET, "3304/0/5700"))
    await in_force(client)


async def in_force(client: Client) -> list[ProfileStanding]:
    async def found() -> list[ProfileStanding]:
        standing = await standing_of(client)
        return [standing] if standing.state == "in-force" else []

    return await until(found, what="the profile in force")


@pytest.mark.parametrize("profile", [ObservationProfile(observe=TEMPERATURE.observe, awake_window_s=0.2)])
async def test_a_notification_is_a_sign_of_life(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    one.register(LINKS, "b=U", "Q")
    request = one.expect_request(GET, "3303/0/5700")
    answer(one, request)
    await events.wait(ValuesReported)
    revision = await put(js, *TEMPERATURE.observe, HUMIDITY, awake_window_s=0.2)
    with pytest.raises(Silence):
        one.receive(timeout_s=0.3)
    assert (await applied(client, revision, timeout_s=0)).state == "asleep"
    one.send(one.notification(request.token, 5, TLV_21_5))
    heard = [one.receive(), one.receive()]
    assert {one.path() for one in heard} == {"", "3304/0/5700"}


async def test_a_new_registration_has_the_profile_and_nothing_waits(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    one = device()
    observed(one, LINKS)
    await events.wait(ValuesReported)
    standing = await applied(client, await put(js, HUMIDITY), timeout_s=0)
    assert (standing.state, standing.differences) == ("under-way", ("3303/0/5700", "3304/0/5700"))
    ending = one.expect_request(GET, "3303/0/5700")
    assert ending.number(OBSERVE) == 1
    one.send(datagram(ACK, 0, ending.message_id))  # the answer never comes
    one.register(LINKS, token=b"\x09")
    answer(one, one.expect_request(GET, "3304/0/5700"))
    await in_force(client)


async def test_a_device_that_is_not_registered_is_told_so(client: Client) -> None:
    answer = await asked(client, AskProfile(endpoint="nobody", apply=True))
    assert isinstance(answer, CommandFailure)
    assert answer.error == "not-registered"
