"""NATS away and back, crashes, stops: acknowledged means kept."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import httpx
import pytest
from nats.js import JetStreamContext

from flownexus_schemas.events import DeregistrationReason, EndpointDeregistered, EndpointRegistered, ValuesReported
from flownexus_schemas.profiles import ObservationProfile, SingleObservation
from harness.embedded import RunningNats
from harness.lockstep import ACK, CREATED, GET, TLV, Heard, LockstepDevice, Silence
from harness.services import ServiceProcess
from harness.waiting import until
from integration.gateway.gateway_events import Events, NewDevice

TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"
AWAY_S = 0.5


@pytest.fixture
def profile() -> ObservationProfile:
    return ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),))


def observed(client: LockstepDevice) -> bytes:
    assert client.register("</3303/0>").code == CREATED
    request = client.expect_request(GET, "3303/0/5700")
    client.answer(request, payload=TLV_21_5, content_format=TLV, observe=0)
    return request.token


def is_ready(gateway: ServiceProcess) -> bool:
    return httpx.get(f"{gateway.health_url}/readyz", trust_env=False).status_code == 200


def is_alive(gateway: ServiceProcess) -> bool:
    return httpx.get(f"{gateway.health_url}/healthz", trust_env=False).status_code == 200


def run_to_its_end(env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flownexus_gateway"]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=30, check=False)


async def answered(client: LockstepDevice, data: bytes) -> Heard:
    """Send until there is an answer, as a device does."""

    def attempt() -> Heard | None:
        try:
            return client.exchange(data, 0.3)
        except Silence:
            return None

    return await until(attempt, timeout_s=30, what="an answer")


async def test_while_nats_is_away_nothing_is_acknowledged_and_afterwards_nothing_is_lost(
    device: NewDevice, events: Events, gateway: ServiceProcess, nats_server: RunningNats
) -> None:
    client, newcomer = device("device-1"), device("newcomer")
    token = observed(client)
    await events.wait(ValuesReported)
    nats_server.kill()
    await until(lambda: not is_ready(gateway), what="readyz says 503")
    sent = client.notification(token, 5, TLV_21_5)
    register = newcomer.register_datagram("</3/0>", message_id=1)
    for data, who in ((sent, client), (register, newcomer)):
        who.send(data)
        with pytest.raises(Silence):
            who.receive(AWAY_S)
    nats_server.start()
    await until(lambda: is_ready(gateway), timeout_s=20, what="readyz says 200")
    assert (await answered(client, sent)).type == ACK
    heard = await answered(newcomer, register)
    assert heard.code == CREATED
    assert len(await events.of(ValuesReported)) == 2
    registered = await events.of(EndpointRegistered, "newcomer")
    assert [event.data.registration_id for event in registered] == [heard.location().split("/")[1]]


async def test_a_register_whose_answer_was_lost_in_a_crash_gets_the_same_location(
    device: NewDevice, events: Events, gateway: ServiceProcess
) -> None:
    client = device()
    register = client.register_datagram("</3/0>", message_id=1)
    first = client.exchange(register).location()
    gateway.kill()
    gateway.start()
    assert client.exchange(register).location() == first
    assert len(await events.of(EndpointRegistered)) == 1


async def test_a_lifetime_that_ends_while_the_gateway_is_down_ends_after_its_start(
    device: NewDevice, events: Events, gateway: ServiceProcess
) -> None:
    client = device()
    client.register("</3/0>", lifetime=1)
    gateway.kill()
    gateway.start()
    (end,) = await events.wait(EndpointDeregistered)
    assert end.data.reason == DeregistrationReason.EXPIRED


async def test_a_second_gateway_understands_the_devices_of_the_first(
    device: NewDevice, events: Events, gateway: ServiceProcess, service: Callable[..., ServiceProcess]
) -> None:
    client = device()
    token = observed(client)
    second = service("flownexus_gateway", FLOWNEXUS_GATEWAY_ID="gw-2")
    client.server = ("127.0.0.1", int(second.env["FLOWNEXUS_COAP_PORT"]))
    assert client.exchange(client.notification(token, 1, TLV_21_5)).type == ACK
    assert client.update().code == 0x44
    assert (await events.of(ValuesReported))[-1].source == "/gateway/gw-2"


async def test_a_gateway_that_starts_before_nats_waits_for_it(
    js: JetStreamContext, service: Callable[..., ServiceProcess], nats_server: RunningNats
) -> None:
    nats_server.kill()
    waiting = service("flownexus_gateway", wait=False)
    await until(lambda: "refused" in waiting.log_text(), timeout_s=20)
    assert is_alive(waiting)
    assert not is_ready(waiting)
    waiting.stop()
    waiting.launch()
    await until(lambda: "refused" in waiting.log_text(), timeout_s=20)
    with LockstepDevice(int(waiting.env["FLOWNEXUS_COAP_PORT"]), "device-1") as client:
        register = client.register_datagram("</1/0>", message_id=1)
        client.send(register)
        nats_server.start()
        await until(waiting.is_ready, timeout_s=20)
        assert client.exchange(register).code == CREATED
        with pytest.raises(Silence):
            client.receive(AWAY_S)
    waiting.stop()


async def test_sigterm_stops_it_cleanly_with_devices_under_way(device: NewDevice, gateway: ServiceProcess) -> None:
    client = device()
    client.register("</3303/0>")
    client.expect_request(GET, "3303/0/5700")
    assert gateway.stop(timeout_s=5) == 0
    assert "Traceback" not in gateway.log_text()


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("FLOWNEXUS_COAP_PORT", "99999", "FLOWNEXUS_COAP_PORT"),
        ("FLOWNEXUS_GATEWAY_ID", "a.b", "FLOWNEXUS_GATEWAY_ID"),
        ("FLOWNEXUS_COAP_HOST", "203.0.113.77", "203.0.113.77"),
        ("FLOWNEXUS_OBJECT_MODEL_FOLDERS", '["/does/not/exist"]', "/does/not/exist"),
    ],
)
def test_a_misconfiguration_is_one_line_and_exit_code_2(name: str, value: str, said: str) -> None:
    env = {
        "FLOWNEXUS_NATS_URL": "nats://nobody:a-word-of-the-tests@127.0.0.1:1",
        "FLOWNEXUS_COAP_PORT": "0",
        name: value,
    }
    ended = run_to_its_end(env)
    assert ended.returncode == 2, ended.stderr
    assert said in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


async def test_a_port_in_use_is_one_line_and_exit_code_2(gateway: ServiceProcess) -> None:
    env = {**gateway.env, "FLOWNEXUS_HEALTH_PORT": "0"}
    ended = run_to_its_end(env)
    assert ended.returncode == 2
    assert gateway.env["FLOWNEXUS_COAP_PORT"] in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


async def test_it_stops_cleanly_while_nats_is_away(gateway: ServiceProcess, nats_server: RunningNats) -> None:
    nats_server.kill()
    await until(lambda: not is_ready(gateway), what="readyz says 503")
    assert gateway.stop(timeout_s=5) == 0


async def test_a_health_port_in_use_is_one_line_and_exit_code_2(gateway: ServiceProcess) -> None:
    ended = run_to_its_end({**gateway.env, "FLOWNEXUS_COAP_PORT": "0"})
    assert ended.returncode == 2
    assert gateway.env["FLOWNEXUS_HEALTH_PORT"] in ended.stderr
