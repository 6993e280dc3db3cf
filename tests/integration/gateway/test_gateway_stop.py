"""A gateway that stops, and one that cannot start: nobody waits in vain."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Callable

import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_local.program import base_environment
from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandAnswer, CommandFailure, ReadResource, answer_adapter
from flownexus_schemas.profiles import ObservationProfile
from harness.lockstep import CONTENT, GET, TEXT, LockstepDevice
from harness.services import ServiceProcess
from integration.gateway.gateway_events import NewDevice

Start = Callable[..., ServiceProcess]


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile()


@pytest.fixture
def client(js: JetStreamContext) -> Client:
    return js._nc


async def asked(client: Client, endpoint: str) -> CommandAnswer | CommandFailure:
    command = ReadResource(endpoint=endpoint, path="3/0/0", timeout_s=60).model_dump_json().encode()
    reply = await client.request(subjects.gateway_request("gw-1"), command, timeout=30)
    return answer_adapter.validate_json(reply.data)


def registered(device: NewDevice, name: str) -> LockstepDevice:
    one: LockstepDevice = device(name)
    one.register("</3/0>")
    return one


async def test_requests_under_way_when_it_stops_are_answered_by_the_device_or_for_it(
    gateway: ServiceProcess, device: NewDevice, client: Client
) -> None:
    prompt, silent = registered(device, "prompt"), registered(device, "silent")
    waiting = [asyncio.create_task(asked(client, name)) for name in ("prompt", "silent")]
    heard = await asyncio.to_thread(prompt.expect_request, GET, "3/0/0")
    await asyncio.to_thread(silent.expect_request, GET, "3/0/0")
    stopped = asyncio.create_task(asyncio.to_thread(gateway.stop))
    await asyncio.to_thread(until_it_takes_no_requests, gateway)
    prompt.answer(heard, CONTENT, b"Fn", TEXT)

    answer, failure = await asyncio.gather(*waiting)
    assert isinstance(answer, CommandAnswer)
    assert [value.value for value in answer.values] == ["Fn"]
    assert isinstance(failure, CommandFailure)
    assert (failure.error, "the gateway stopped" in failure.reason) == ("no-answer", True)
    assert await stopped == 0


def until_it_takes_no_requests(gateway: ServiceProcess) -> None:
    """Its log says that it stops, or /readyz does."""
    while gateway.is_running and gateway.is_ready():
        pass


async def test_a_second_gateway_of_the_same_id_is_refused_and_the_first_goes_on(
    gateway: ServiceProcess, device: NewDevice, client: Client
) -> None:
    one = registered(device, "device-1")
    second = gateway.env | {"FLOWNEXUS_COAP_PORT": "0", "FLOWNEXUS_HEALTH_PORT": "0"}
    ended = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "flownexus_gateway"],
        env=base_environment() | second,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2, ended.stderr
    assert "'gw-1' is in use by process" in ended.stderr
    assert "give each gateway an id of its own" in ended.stderr
    assert one.update().code == 0x44


async def test_after_a_kill_the_same_id_starts_at_once(gateway: ServiceProcess, device: NewDevice) -> None:
    one = registered(device, "device-1")
    gateway.kill()
    gateway.start(timeout_s=4)  # less than the patience with another holder
    assert one.update().code == 0x44
