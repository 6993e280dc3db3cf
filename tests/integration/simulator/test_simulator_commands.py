"""Every request that the bus knows, through the real gateway, to a simulated device. LwM2M Core 1.1.1, 6.3 and 6.4."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_schemas.commands import (
    CancelObservation,
    Command,
    CommandAnswer,
    DiscoverResources,
    ExecuteResource,
    ObserveComposite,
    ObserveResource,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteAttributes,
    WriteComposite,
    WriteResource,
)
from flownexus_schemas.events import EndpointRegistered, EndpointUpdated, ValuesReported, parse_event
from flownexus_schemas.subjects import Stream
from harness.asking import ask
from harness.embedded import RunningNats
from harness.fleet import RunningFleet
from harness.waiting import until

ENDPOINT = "sim-00000"
TEXT, SENML_JSON, SENML_CBOR, TLV = 0, 110, 112, 11542


class Operator:
    """Asks the gateway on the bus."""

    def __init__(self, client: Client, js: JetStreamContext) -> None:
        self._client, self._js = client, js

    async def ask(self, command: Command) -> CommandAnswer:
        return await ask(self._client, command)

    async def read(self, path: str, content_format: int | None = None) -> list[tuple[str, object]]:
        answer = await self.ask(ReadResource(endpoint=ENDPOINT, path=path, format=content_format))
        assert answer.code == "2.05", answer
        return [(value.path, value.value) for value in answer.values]

    async def events(self) -> list[object]:
        last = (await self._js.stream_info(Stream.EVENTS)).state.last_seq
        return [
            parse_event((await self._js.get_msg(Stream.EVENTS, number)).data or b"") for number in range(1, last + 1)
        ]


@pytest.fixture
async def operator(
    js: JetStreamContext, nats_server: RunningNats, service: ServiceFactory, tmp_path: Path
) -> AsyncIterator[Operator]:
    """Somebody who asks, while one simulated device is registered and measures twice a second."""
    gateway = service("flownexus_gateway")
    client = await nats.connect(nats_server.url)
    fleet = RunningFleet(tmp_path / "fleet", int(gateway.env["FLOWNEXUS_COAP_PORT"]), "--devices=1", "--interval=0.5")
    someone = Operator(client, js)
    try:
        await eventually(lambda: observed_twice(someone), "both observations of the default profile")
        yield someone
    finally:
        fleet.kill()
        await client.close()


async def eventually(condition: Callable[[], Awaitable[bool]], what: str) -> None:
    """Wait until a condition holds. AssertionError after 30 s."""

    async def holds() -> str | None:
        return what if await condition() else None

    came_about: str = await until(holds, 30, what)
    assert came_about == what


async def observed_twice(operator: Operator) -> bool:
    """Whether the temperature and the environment were reported."""
    seen = {
        record.path.split("/")[0]
        for event in await operator.events()
        if isinstance(event, ValuesReported)
        for record in event.data.records
    }
    return seen >= {"3303", "10300"}


@pytest.mark.parametrize("content_format", [None, TLV, SENML_JSON, SENML_CBOR, TEXT])
async def test_a_resource_is_read_in_every_format(operator: Operator, content_format: int | None) -> None:
    assert await operator.read("3/0/1", content_format) == [("3/0/1", "simulated device")]


@pytest.mark.parametrize("content_format", [TLV, SENML_JSON, SENML_CBOR])
async def test_an_instance_is_read_with_the_types_of_its_resources(operator: Operator, content_format: int) -> None:
    values = dict(await operator.read("3/0", content_format))
    assert values["3/0/0"] == "Flow Nexus"
    assert values["3/0/6/0"] == 1
    assert values["3/0/7/0"] == 3700
    assert isinstance(values["3/0/13"], int)


async def test_several_paths_are_read_at_once(operator: Operator) -> None:
    answer = await operator.ask(ReadComposite(endpoint=ENDPOINT, paths=("3/0/0", "3303/0/5701")))
    assert {value.path: value.value for value in answer.values} == {"3/0/0": "Flow Nexus", "3303/0/5701": "Cel"}


async def test_attributes_are_written_and_discovered(operator: Operator) -> None:
    attributes = WriteAttributes(endpoint=ENDPOINT, path="3303/0/5700", attributes={"pmin": 5, "pmax": 60})
    assert (await operator.ask(attributes)).code == "2.04"
    links = (await operator.ask(DiscoverResources(endpoint=ENDPOINT, path="3303"))).links
    assert links is not None
    assert "</3303/0/5700>;pmin=5;pmax=60" in links.split(",")


@pytest.mark.parametrize("content_format", [None, TEXT, TLV, SENML_JSON, SENML_CBOR])
async def test_a_written_lifetime_comes_back_in_an_update(operator: Operator, content_format: int | None) -> None:
    values = (PathValue(path="1/0/1", value=77),)
    command = WriteResource(endpoint=ENDPOINT, path="1/0/1", values=values, replace=True, format=content_format)
    assert (await operator.ask(command)).code == "2.04"

    async def told() -> bool:
        lifetimes = [event.data.lifetime_s for event in await operator.events() if isinstance(event, EndpointUpdated)]
        return 77 in lifetimes

    await eventually(told, "an update with the lifetime written")
    assert await operator.read("1/0/1") == [("1/0/1", 77)]


async def test_several_resources_are_written_at_once(operator: Operator) -> None:
    values = (PathValue(path="1/0/2", value=3), PathValue(path="3/0/15", value="Europe/Zurich"))
    assert (await operator.ask(WriteComposite(endpoint=ENDPOINT, values=values))).code == "2.04"
    assert await operator.read("1/0/2") == [("1/0/2", 3)]
    assert await operator.read("3/0/15") == [("3/0/15", "Europe/Zurich")]


async def test_a_refusal_is_told_as_the_device_said_it(operator: Operator) -> None:
    assert (await operator.ask(ReadResource(endpoint=ENDPOINT, path="3/0/99"))).code == "4.04"
    assert (await operator.ask(ExecuteResource(endpoint=ENDPOINT, path="5/0/2"))).code == "4.05"


async def test_a_reboot_is_a_new_registration(operator: Operator) -> None:
    assert (await operator.ask(ExecuteResource(endpoint=ENDPOINT, path="3/0/4"))).code == "2.04"

    async def again() -> bool:
        return sum(isinstance(event, EndpointRegistered) for event in await operator.events()) == 2

    await eventually(again, "a second registration")


@pytest.mark.parametrize("passive", [False, True])
async def test_what_is_observed_on_request_is_reported_until_it_is_cancelled(operator: Operator, passive: bool) -> None:
    assert (await operator.ask(ObserveResource(endpoint=ENDPOINT, path="6/0"))).code == "2.05"
    composite = ObserveComposite(endpoint=ENDPOINT, paths=("3/0/9", "3303/0/5701"), event_type="power")
    assert (await operator.ask(composite)).code == "2.05"

    async def reports(path: str) -> int:
        return sum(
            any(record.path == path for record in event.data.records)
            for event in await operator.events()
            if isinstance(event, ValuesReported)
        )

    async def both() -> bool:
        return await reports("6/0/0") >= 3 and await reports("3/0/9") >= 3

    await eventually(both, "three reports of each")
    for paths in (("6/0",), ("3/0/9", "3303/0/5701")):
        answer = await operator.ask(CancelObservation(endpoint=ENDPOINT, paths=paths, passive=passive))
        assert answer.code == "2.05"
    location, temperature = await reports("6/0/0"), await reports("3303/0/5700")

    async def measured_on() -> bool:
        return await reports("3303/0/5700") >= temperature + 4

    await eventually(measured_on, "four more temperatures")
    assert await reports("6/0/0") - location <= 1
