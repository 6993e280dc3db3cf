"""When a device listens: what its profile says of that, and what the device does, as the registration has it."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import PathValue, ReadResource, WriteResource
from flownexus_schemas.events import (
    EndpointHeard,
    EndpointRegistered,
    EndpointUpdated,
    HeardBy,
    Registration,
    ValuesReported,
)
from flownexus_schemas.profile_standing import AskProfile
from flownexus_schemas.profiles import ObservationProfile
from flownexus_schemas.registrations import StoredRegistration
from flownexus_schemas.subjects import Bucket
from harness.commanded import answered
from harness.embedded import RunningNats
from harness.lockstep import CHANGED, CREATED, PUT, TEXT, LockstepDevice, Silence
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice, put_profile

LINKS = "</1/0>,</3/0>"
Stated = tuple[str, tuple[str, ...], tuple[str, ...]]
"""LwM2M version, queries of Register, queries of Update."""


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile(awake_window_s=20)


@pytest.fixture
async def client(gateway: ServiceProcess, nats_server: RunningNats) -> AsyncIterator[Client]:
    connection = await nats.connect(nats_server.url)
    yield connection
    await connection.close()


async def stored(js: JetStreamContext) -> Registration:
    bucket = await js.key_value(Bucket.REGISTRATIONS)
    entry = await bucket.get(subjects.endpoint_key("device-1"))
    return StoredRegistration.model_validate_json(entry.value or b"").registration


def registered(device: NewDevice) -> LockstepDevice:
    one = device()
    assert one.register(LINKS, "b=U", "Q").code == CREATED
    return one


async def apply(client: Client, profiles_revision: int) -> None:
    """Have the profile applied, once the gateway has it; nothing is asked of the device for it."""
    question = AskProfile(endpoint="device-1", apply=True, timeout_s=10, profiles_revision=profiles_revision)
    await client.request(subjects.gateway_profile("gw-1"), question.model_dump_json().encode(), timeout=15)


async def test_a_changed_window_is_in_force_at_the_next_update(
    device: NewDevice, events: Events, js: JetStreamContext
) -> None:
    one = registered(device)
    [first] = await events.wait(EndpointRegistered)
    assert (first.data.awake_window_s, first.data.answers_asleep_within_s) == (20, None)
    await put_profile(js, ObservationProfile(awake_window_s=40, answers_asleep_within_s=82))

    async def followed() -> bool:
        assert one.update().code == CHANGED
        found = await events.of(EndpointUpdated)
        return bool(found) and (found[-1].data.awake_window_s, found[-1].data.answers_asleep_within_s) == (40, 82)

    in_force: bool = await until(followed, what="the gateway has the changed profile")
    assert in_force
    assert (await stored(js)).answers_asleep_within_s == 82


async def test_applied_it_is_in_force_for_operations_at_once(
    device: NewDevice, events: Events, client: Client, js: JetStreamContext
) -> None:
    registered(device)
    await events.wait(EndpointRegistered)
    revision = await put_profile(js, ObservationProfile(awake_window_s=20, answers_asleep_within_s=82))
    await apply(client, revision)
    assert (await stored(js)).answers_asleep_within_s == 82


@pytest.mark.parametrize(
    ("stated", "queue_mode"),
    [
        (("1.0", ("b=UQ",), ("b=U",)), False),
        (("1.0", ("b=U",), ("b=UQ",)), True),
        (("1.0", ("b=UQ",), ("lt=60",)), True),
        (("1.1", ("b=U", "Q"), ("b=U",)), True),
        (("1.1", ("b=U", "Q"), ("b=UT",)), True),
        (("1.1", ("b=U",), ("b=U", "Q")), True),
        (("1.1", ("b=U", "Q"), ("Q=0",)), False),
        (("1.1", ("b=UQ",), ("b=U",)), False),
        (("1.1", ("b=UQ",), ("lt=60",)), True),
    ],
)
async def test_queue_mode_follows_an_update_that_changes_it(
    device: NewDevice, events: Events, stated: Stated, queue_mode: bool
) -> None:
    version, at_first, then = stated
    one = device()
    one.register(LINKS, *at_first, version=version)
    one.update(*then)
    [updated] = await events.wait(EndpointUpdated)
    assert updated.data.queue_mode is queue_mode


@pytest.mark.parametrize("profile", [ObservationProfile(awake_window_s=2)])
async def test_an_answer_that_reports_nothing_is_told_as_a_sign_of_life_now_and_then(
    device: NewDevice, events: Events, client: Client
) -> None:
    one = registered(device)
    await events.wait(EndpointRegistered)
    with pytest.raises(Silence):
        one.receive(timeout_s=0.6)  # a quarter of the window: so soon after a Register it would say nothing new
    write = WriteResource(
        endpoint="device-1", path="3/0/15", values=(PathValue(path="3/0/15", value="UTC"),), timeout_s=5
    )
    before = time.time()
    for _ in range(3):
        await answered(client, write, lambda: one.answer(one.expect_request(PUT, "3/0/15"), CHANGED))
    await events.wait(EndpointHeard)
    read = ReadResource(endpoint="device-1", path="3/0/15", timeout_s=5)
    await answered(client, read, lambda: one.answer(one.receive(), payload=b"UTC", content_format=TEXT))
    await events.wait(ValuesReported)
    with pytest.raises(Silence):
        one.receive(timeout_s=1)

    [heard] = await events.of(EndpointHeard)
    assert (heard.subject, heard.data.by) == ("device-1", HeardBy.ANSWER)
    assert heard.time.timestamp() >= before
