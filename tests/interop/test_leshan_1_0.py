"""Every operation of LwM2M 1.0, carried out by Leshan 1.x's client library, in each content format that it speaks."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Mapping

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_schemas import subjects
from flownexus_schemas.commands import (
    CancelObservation,
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
from flownexus_schemas.events import (
    EndpointDeregistered,
    EndpointRegistered,
    EndpointUpdated,
    Event,
    ValuesReported,
    parse_event,
)
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile
from flownexus_schemas.subjects import Bucket, Stream
from harness.asking import ask
from harness.embedded import RunningNats
from harness.waiting import until
from interop.leshan_device import OLD, LeshanDevice, build, running_device

pytestmark = pytest.mark.timeout(300)

NAME = "leshan-1-0"
TEXT, OPAQUE, TLV, LWM2M_JSON = 0, 42, 11542, 11543
OF_ONE = [TEXT, TLV, LWM2M_JSON]
OF_SEVERAL = [TLV, LWM2M_JSON]


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("leshan-1-0"), OLD)


@pytest.fixture
async def coap_port(js: JetStreamContext, service: ServiceFactory) -> int:
    """Of a gateway that observes nothing by itself."""
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put(DEFAULT_KEY, ObservationProfile().model_dump_json().encode())
    return int(service("flownexus_gateway").env["FLOWNEXUS_COAP_PORT"])


@pytest.fixture
async def device(coap_port: int, class_path: str) -> AsyncIterator[LeshanDevice]:
    with running_device(class_path, coap_port, NAME, source=OLD) as running:
        running.wait_for("registered")
        yield running


@pytest.fixture
async def client(nats_server: RunningNats) -> AsyncIterator[Client]:
    connected = await nats.connect(nats_server.url)
    yield connected
    await connected.close()


async def events(js: JetStreamContext) -> list[Event]:
    last = (await js.stream_info(Stream.EVENTS)).state.last_seq
    return [parse_event((await js.get_msg(Stream.EVENTS, number)).data or b"") for number in range(1, last + 1)]


async def read(client: Client, path: str, content_format: int | None = None) -> dict[str, object]:
    answer = await ask(client, ReadResource(endpoint=NAME, path=path, format=content_format))
    assert answer.code == "2.05", answer
    return {value.path: value.value for value in answer.values}


async def write(
    client: Client, path: str, values: Mapping[str, object], content_format: int, *, replace: bool = False
) -> str:
    given = tuple(PathValue.model_validate({"path": at, "value": value}) for at, value in values.items())
    command = WriteResource(endpoint=NAME, path=path, values=given, format=content_format, replace=replace)
    return (await ask(client, command)).code


async def test_it_registers_updates_comes_back_and_deregisters(
    coap_port: int, class_path: str, js: JetStreamContext
) -> None:
    with running_device(class_path, coap_port, NAME, source=OLD, queue_mode=True) as first:
        first.wait_for("registered")
        first.do("update")
        first.wait_for("updated")
    with running_device(class_path, coap_port, NAME, source=OLD) as second:
        second.wait_for("registered")
        second.do("stop")
        second.wait_for("deregistered")

    async def ended() -> list[Event]:
        found = await events(js)
        return found if isinstance(found[-1], EndpointDeregistered) else []

    found: list[Event] = await until(ended, 20, "its deregistration")
    states = [event for event in found if isinstance(event, EndpointRegistered | EndpointUpdated)]
    assert [type(event).__name__ for event in found if not isinstance(event, ValuesReported)] == [
        "EndpointRegistered",
        "EndpointUpdated",
        "EndpointDeregistered",
        "EndpointRegistered",
        "EndpointDeregistered",
    ]
    assert {event.data.lwm2m_version for event in states} == {"1.0"}
    assert [event.data.queue_mode for event in states] == [True, True, False]


async def test_reads_in_every_format_at_every_depth(device: LeshanDevice, client: Client) -> None:
    for content_format in OF_ONE:
        assert await read(client, "3/0/0", content_format) == {"3/0/0": "Leshan"}
        assert await read(client, "3303/0/5700", content_format) == {"3303/0/5700": 20.0}
    whole = {"3/0/0": "Leshan", "3/0/7/0": 3800, "3/0/7/1": 5000, "3/0/13": 1767225600, "3/0/14": "+01:00"}
    several: list[int | None] = [None, *OF_SEVERAL]
    for asked in several:
        assert await read(client, "3/0/7", asked) == {"3/0/7/0": 3800, "3/0/7/1": 5000}
        assert await read(client, "3/0", asked) == whole
        assert await read(client, "3", asked) == whole


async def test_writes_in_every_format(device: LeshanDevice, client: Client) -> None:
    for number, content_format in enumerate(OF_ONE):
        assert await write(client, "3/0/14", {"3/0/14": f"+0{number}:00"}, content_format) == "2.04"
        assert await read(client, "3/0/14") == {"3/0/14": f"+0{number}:00"}
        assert await write(client, "1/0/1", {"1/0/1": 100 + number}, content_format) == "2.04"
        assert await read(client, "1/0/1") == {"1/0/1": 100 + number}
    for number, content_format in enumerate(OF_SEVERAL):
        for replace in (False, True):
            both = {"3303/0/5750": f"roof {number}{replace}"}
            assert await write(client, "3303/0", both, content_format, replace=replace) == "2.04"
            assert (await read(client, "3303/0"))["3303/0/5750"] == f"roof {number}{replace}"
    package = bytes(range(256)) * 20
    for times, content_format in enumerate((OPAQUE, TLV, LWM2M_JSON), start=1):
        in_base64 = base64.b64encode(package).decode()
        assert await write(client, "5/0/0", {"5/0/0": in_base64}, content_format) == "2.04"
        device.wait_for("written 0 5120 bytes", times)


async def test_a_value_above_one_datagram_is_written_and_read_in_blocks(device: LeshanDevice, client: Client) -> None:
    text = "x" * 5000
    for content_format in OF_ONE:
        assert await write(client, "3303/0/5750", {"3303/0/5750": text}, content_format) == "2.04"
        assert await read(client, "3303/0/5750", content_format) == {"3303/0/5750": text}


async def test_an_instance_is_created_discovered_and_deleted(device: LeshanDevice, client: Client) -> None:
    for content_format in OF_SEVERAL:
        given = (PathValue(path="3303/7/5750", value="roof"),)
        create = CreateObjectInstance(endpoint=NAME, path="3303/7", values=given, format=content_format)
        assert (await ask(client, create)).code == "2.01", content_format
        # It has no attributes and says so: what it answers comes back as it is.
        attributes = WriteAttributes(endpoint=NAME, path="3303/7", attributes={"pmin": 1, "pmax": 60})
        refused = await ask(client, attributes)
        assert (refused.code, refused.diagnostic) == ("5.00", "not implemented")
        for path in ("3303", "3303/7"):
            links = (await ask(client, DiscoverResources(endpoint=NAME, path=path))).links or ""
            assert "</3303/7" in links, path
        assert (await read(client, "3303/7"))["3303/7/5750"] == "roof"
        assert (await ask(client, DeleteObjectInstance(endpoint=NAME, path="3303/7"))).code == "2.02"
    chosen = await ask(
        client,
        CreateObjectInstance(
            endpoint=NAME, path="3303", values=(PathValue(path="3303/0/5750", value="x"),), format=TLV
        ),
    )
    assert (chosen.code, chosen.location) == ("2.01", "3303/1")
    missing = await ask(client, ReadResource(endpoint=NAME, path="3303/9"))
    assert missing.code == "4.04"
    forbidden = await ask(
        client, WriteResource(endpoint=NAME, path="3/0/0", values=(PathValue(path="3/0/0", value="x"),))
    )
    assert forbidden.code == "4.05"


async def test_a_resource_is_executed_with_its_arguments(device: LeshanDevice, client: Client) -> None:
    assert (await ask(client, ExecuteResource(endpoint=NAME, path="3/0/4"))).code == "2.04"
    device.wait_for("executed 4 null")
    assert (await ask(client, ExecuteResource(endpoint=NAME, path="3/0/4", arguments="0='a',1"))).code == "2.04"
    device.wait_for("executed 4 0='a',1")


async def test_an_observation_notifies_in_every_format_until_it_is_cancelled_either_way(
    device: LeshanDevice, client: Client, js: JetStreamContext
) -> None:
    number = 0
    for path, formats in (("3303/0/5700", OF_ONE), ("3303/0", OF_SEVERAL), ("3303", OF_SEVERAL)):
        for content_format in formats:
            for passive in (False, True):
                number += 1
                observe = ObserveResource(endpoint=NAME, path=path, format=content_format)
                assert (await ask(client, observe)).code == "2.05", (path, content_format)
                device.do(f"temperature {100 + number}.5")
                await until_reported(js, content_format, 100.5 + number)
                cancel = CancelObservation(endpoint=NAME, paths=(path,), passive=passive)
                assert (await ask(client, cancel)).code == "2.05"
                if passive:
                    device.do(f"temperature {200 + number}.5")  # its notification is answered with a Reset


async def until_reported(js: JetStreamContext, content_format: int, value: float) -> None:
    async def reported() -> bool:
        last = next(event for event in reversed(await events(js)) if isinstance(event, ValuesReported))
        values = {record.path: record.value for record in last.data.records}
        return (last.data.content_format, values.get("3303/0/5700")) == (content_format, value)

    came: bool = await until(reported, 20, f"{value} in {content_format}")
    assert came


async def test_nothing_composite_is_asked_of_it(device: LeshanDevice, client: Client) -> None:
    command = ReadComposite(endpoint=NAME, paths=("3/0/0",)).model_dump_json().encode()
    reply = await client.request(subjects.gateway_request("gw-1"), command, timeout=30)
    failure = answer_adapter.validate_json(reply.data)
    assert isinstance(failure, CommandFailure)
    assert "this device speaks 1.0" in failure.reason
