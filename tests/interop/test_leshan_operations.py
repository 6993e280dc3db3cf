"""Every operation of the bus, carried out by Leshan's client library, in each content format that it speaks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import nats
import pytest
from nats.aio.client import Client
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_schemas.commands import (
    CancelObservation,
    CreateObjectInstance,
    DeleteObjectInstance,
    DiscoverResources,
    ObserveComposite,
    ObserveResource,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteComposite,
    WriteResource,
)
from flownexus_schemas.events import Event, Report, Trigger, ValuesReported, parse_event
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile
from flownexus_schemas.subjects import Bucket, Stream
from harness.asking import ask
from harness.embedded import RunningNats
from harness.waiting import until
from interop.leshan_device import LeshanDevice, build, running_device

pytestmark = pytest.mark.timeout(300)

NAME = "leshan-operations"
TEXT, CBOR, SENML_JSON, SENML_CBOR, TLV, LWM2M_JSON = 0, 60, 110, 112, 11542, 11543
OF_ONE = [TEXT, CBOR, TLV, LWM2M_JSON, SENML_JSON, SENML_CBOR]
OF_SEVERAL = [TLV, LWM2M_JSON, SENML_JSON, SENML_CBOR]
COMPOSITE = [SENML_JSON, SENML_CBOR]


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("leshan"))


@pytest.fixture
async def device(js: JetStreamContext, service: ServiceFactory, class_path: str) -> AsyncIterator[LeshanDevice]:
    """Registered, and observed by nobody yet."""
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put(DEFAULT_KEY, ObservationProfile().model_dump_json().encode())
    port = int(service("flownexus_gateway").env["FLOWNEXUS_COAP_PORT"])
    with running_device(class_path, port, NAME) as running:
        running.wait_for("registered")
        yield running


@pytest.fixture
async def client(nats_server: RunningNats) -> AsyncIterator[Client]:
    connected = await nats.connect(nats_server.url)
    yield connected
    await connected.close()


async def reports(js: JetStreamContext) -> list[ValuesReported]:
    last = (await js.stream_info(Stream.EVENTS)).state.last_seq
    events: Iterator[Event] = iter(
        [parse_event((await js.get_msg(Stream.EVENTS, number)).data or b"") for number in range(1, last + 1)]
    )
    return [event for event in events if isinstance(event, ValuesReported)]


async def notified(js: JetStreamContext, content_format: int) -> Report:
    """The second report in a format: the first is the answer to the request to observe."""

    async def found() -> list[Report]:
        several = [each.data for each in await reports(js) if each.data.content_format == content_format]
        return several if len(several) >= 2 else []

    several: list[Report] = await until(found, 20, f"a notification in {content_format}")
    return several[-1]


async def test_read_and_write_in_every_format(device: LeshanDevice, client: Client) -> None:
    for number, content_format in enumerate(OF_ONE, start=1):
        given = (PathValue(path="1/0/1", value=1000 + number),)
        write = WriteResource(endpoint=NAME, path="1/0/1", values=given, format=content_format)
        assert (await ask(client, write)).code == "2.04", content_format
        read = await ask(client, ReadResource(endpoint=NAME, path="1/0/1", format=content_format))
        assert [(value.path, value.value) for value in read.values] == [("1/0/1", 1000 + number)], content_format
    for number, content_format in enumerate(OF_SEVERAL, start=1):
        both = (PathValue(path="1/0/1", value=2000 + number), PathValue(path="1/0/6", value=number % 2 == 0))
        write = WriteResource(endpoint=NAME, path="1/0", values=both, format=content_format)
        assert (await ask(client, write)).code == "2.04", content_format
        read = await ask(client, ReadResource(endpoint=NAME, path="1/0", format=content_format))
        found = {value.path: value.value for value in read.values}
        assert (found["1/0/1"], found["1/0/6"]) == (2000 + number, number % 2 == 0), content_format
        whole = await ask(client, ReadResource(endpoint=NAME, path="1", format=content_format))
        assert {value.path: value.value for value in whole.values}["1/0/1"] == 2000 + number, content_format


async def test_composite_read_and_write_in_every_format(device: LeshanDevice, client: Client) -> None:
    for number, content_format in enumerate(COMPOSITE, start=1):
        given = (PathValue(path="1/0/1", value=3000 + number), PathValue(path="1/0/6", value=True))
        written = await ask(client, WriteComposite(endpoint=NAME, values=given, format=content_format))
        assert written.code == "2.04", content_format
        read = await ask(client, ReadComposite(endpoint=NAME, paths=("1/0/1", "3/0/0"), format=content_format))
        assert {value.path: value.value for value in read.values} == {"1/0/1": 3000 + number, "3/0/0": "Leshan"}


async def test_an_instance_is_created_discovered_and_deleted(device: LeshanDevice, client: Client) -> None:
    for content_format in OF_SEVERAL:
        given = (PathValue(path="3303/7/5750", value="roof"),)
        create = CreateObjectInstance(endpoint=NAME, path="3303/7", values=given, format=content_format)
        assert (await ask(client, create)).code == "2.01", content_format
        found = await ask(client, DiscoverResources(endpoint=NAME, path="3303"))
        assert "</3303/7>" in (found.links or "")
        assert (await ask(client, DeleteObjectInstance(endpoint=NAME, path="3303/7"))).code == "2.02"
    assert (await ask(client, ReadResource(endpoint=NAME, path="3303/7"))).code == "4.04"


async def test_an_observation_in_every_format_notifies_until_it_is_cancelled(
    device: LeshanDevice, client: Client, js: JetStreamContext
) -> None:
    for number, content_format in enumerate(OF_ONE, start=1):
        observe = ObserveResource(endpoint=NAME, path="3303/0/5700", format=content_format)
        assert (await ask(client, observe)).code == "2.05", content_format
        device.do(f"temperature {30 + number}.5")

        data = await notified(js, content_format)
        assert [record.value for record in data.records] == [30.5 + number]
        cancelled = await ask(client, CancelObservation(endpoint=NAME, paths=("3303/0/5700",)))
        assert cancelled.code == "2.05", content_format


async def test_a_composite_observation_in_every_format_notifies_until_it_is_cancelled(
    device: LeshanDevice, client: Client, js: JetStreamContext
) -> None:
    paths = ("3303/0/5700", "10300/0/0")
    for number, content_format in enumerate(COMPOSITE, start=1):
        observe = ObserveComposite(endpoint=NAME, paths=paths, event_type="climate", format=content_format)
        assert (await ask(client, observe)).code == "2.05", content_format
        device.do(f"temperature {40 + number}.5")

        data = await notified(js, content_format)
        assert data.event_type == "climate"
        assert {record.path: record.value for record in data.records}["3303/0/5700"] == 40.5 + number
        cancelled = await ask(client, CancelObservation(endpoint=NAME, paths=paths))
        assert cancelled.code == "2.05", content_format


async def test_send_is_one_report(device: LeshanDevice, client: Client, js: JetStreamContext) -> None:
    device.do("temperature 51.5")
    device.do("collect")
    device.wait_for("collected")
    device.do("send")
    device.wait_for("sent")

    async def sent() -> list[object]:
        found = [report.data for report in await reports(js) if report.data.trigger == Trigger.SEND]
        return [record.value for data in found for record in data.records]

    values: list[object] = await until(sent, 20, "what it sent")
    assert values == [51.5]
