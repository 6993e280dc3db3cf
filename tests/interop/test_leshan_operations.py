"""Every operation of the bus, carried out by Leshan's client library, in each content format that it speaks."""

from __future__ import annotations

import base64
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
from flownexus_schemas.events import Event, Report, Trigger, ValuesReported, parse_event
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile
from flownexus_schemas.subjects import Bucket, Stream
from harness.asking import ask
from harness.embedded import RunningNats
from harness.waiting import until
from interop.leshan_device import LeshanDevice, build, running_device

pytestmark = pytest.mark.timeout(300)

NAME = "leshan-operations"
TEXT, OPAQUE, CBOR, SENML_JSON, SENML_CBOR, TLV, LWM2M_JSON = 0, 42, 60, 110, 112, 11542, 11543
OF_ONE = [TEXT, CBOR, TLV, LWM2M_JSON, SENML_JSON, SENML_CBOR]
OF_SEVERAL = [TLV, LWM2M_JSON, SENML_JSON, SENML_CBOR]
COMPOSITE = [SENML_JSON, SENML_CBOR]


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return build(tmp_path_factory.mktemp("leshan"))


@pytest.fixture
async def coap_port(js: JetStreamContext, service: ServiceFactory) -> int:
    """Of a gateway that observes nothing by itself."""
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put(DEFAULT_KEY, ObservationProfile().model_dump_json().encode())
    return int(service("flownexus_gateway").env["FLOWNEXUS_COAP_PORT"])


@pytest.fixture
async def device(coap_port: int, class_path: str) -> AsyncIterator[LeshanDevice]:
    """Registered."""
    with running_device(class_path, coap_port, NAME) as running:
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


async def test_send_in_each_form_is_one_report(device: LeshanDevice, client: Client, js: JetStreamContext) -> None:
    for number, content_format in enumerate((SENML_JSON, SENML_CBOR), start=1):
        device.do(f"temperature {50 + number}.5")
        device.do("collect")
        device.wait_for("collected", number)
        device.do(f"send {content_format}")
        device.wait_for("sent", number)

    async def sent() -> list[tuple[int | None, object]]:
        found = [report.data for report in await reports(js) if report.data.trigger == Trigger.SEND]
        seen: list[tuple[int | None, object]] = [
            (data.content_format, record.value) for data in found for record in data.records
        ]
        return seen if len(seen) >= 2 else []

    values: list[tuple[int | None, object]] = await until(sent, 20, "what it sent")
    assert values == [(SENML_JSON, 51.5), (SENML_CBOR, 52.5)]


async def test_a_resource_instance_is_read_in_every_format(device: LeshanDevice, client: Client) -> None:
    whole = await ask(client, ReadResource(endpoint=NAME, path="3/0/7"))
    assert {value.path: value.value for value in whole.values} == {"3/0/7/0": 3800, "3/0/7/1": 5000}
    for content_format in OF_ONE:
        one = await ask(client, ReadResource(endpoint=NAME, path="3/0/7/1", format=content_format))
        assert [(value.path, value.value) for value in one.values] == [("3/0/7/1", 5000)], content_format


async def test_text_above_one_datagram_is_written_read_and_notified_in_blocks(
    device: LeshanDevice, client: Client, js: JetStreamContext
) -> None:
    path = "3303/0/5750"
    for number, content_format in enumerate(OF_ONE):
        text = f"{number}" * 5000
        write = WriteResource(
            endpoint=NAME, path=path, values=(PathValue(path=path, value=text),), format=content_format
        )
        assert (await ask(client, write)).code == "2.04", content_format
        read = await ask(client, ReadResource(endpoint=NAME, path=path, format=content_format))
        assert [(value.path, value.value) for value in read.values] == [(path, text)], content_format
    assert (await ask(client, ObserveResource(endpoint=NAME, path=path))).code == "2.05"
    device.do("text 6000")

    async def whole() -> bool:
        return any(record.value == "x" * 6000 for each in await reports(js) for record in each.data.records)

    came: bool = await until(whole, 20, "the text of 6,000 letters")
    assert came


async def test_bytes_above_one_datagram_are_written_in_blocks(device: LeshanDevice, client: Client) -> None:
    package = base64.b64encode(bytes(range(256)) * 20).decode()
    for number, content_format in enumerate((OPAQUE, CBOR, TLV, SENML_JSON, SENML_CBOR), start=1):
        given = (PathValue(path="5/0/0", value=package),)
        write = WriteResource(endpoint=NAME, path="5/0/0", values=given, format=content_format)
        assert (await ask(client, write)).code == "2.04", content_format
        device.wait_for("written 0 5120 bytes", number)


async def test_a_resource_is_executed_with_its_arguments(device: LeshanDevice, client: Client) -> None:
    for arguments in ("", "0='a',1"):
        execute = ExecuteResource(endpoint=NAME, path="3/0/4", arguments=arguments or None)
        assert (await ask(client, execute)).code == "2.04"
        device.wait_for(f"executed 4 {arguments}".strip())


async def test_an_instance_is_created_under_an_id_that_it_chooses(device: LeshanDevice, client: Client) -> None:
    given = (PathValue(path="3303/0/5750", value="roof"),)
    created = await ask(client, CreateObjectInstance(endpoint=NAME, path="3303", values=given, format=TLV))
    assert (created.code, created.location) == ("2.01", "3303/1")
    read = await ask(client, ReadResource(endpoint=NAME, path="3303/1/5750"))
    assert [value.value for value in read.values] == ["roof"]


async def test_attributes_are_written_discovered_and_removed_at_each_depth(
    device: LeshanDevice, client: Client
) -> None:
    for path in ("3303", "3303/0", "3303/0/5700"):
        for attributes, shown in (({"pmin": 1.0, "pmax": 60.0}, True), ({"pmin": None, "pmax": None}, False)):
            written = await ask(client, WriteAttributes(endpoint=NAME, path=path, attributes=attributes))
            assert written.code == "2.04", path
            links = (await ask(client, DiscoverResources(endpoint=NAME, path=path))).links or ""
            target = next(link for link in links.split(",") if link.startswith(f"</{path}>"))
            assert ("pmin=1" in target, "pmax=60" in target) == (shown, shown), target


async def test_its_refusals_are_the_answers_with_their_text(device: LeshanDevice, client: Client) -> None:
    one = (PathValue(path="3/0/0", value="x"),)
    for command, code in (
        (ReadResource(endpoint=NAME, path="3303/0/5799"), "4.04"),
        (ReadResource(endpoint=NAME, path="3311/0"), "4.04"),
        (ReadResource(endpoint=NAME, path="5/0/0"), "4.05"),
        (WriteResource(endpoint=NAME, path="3/0/0", values=one), "4.05"),
        (ExecuteResource(endpoint=NAME, path="3/0/0"), "4.05"),
        (DeleteObjectInstance(endpoint=NAME, path="3/0"), "4.05"),
    ):
        answer = await ask(client, command)
        assert (answer.code, answer.values) == (code, ()), command
    again = CreateObjectInstance(endpoint=NAME, path="3303/0", values=(PathValue(path="3303/0/5750", value="x"),))
    refused = await ask(client, again)
    assert (refused.code, refused.diagnostic) == ("4.00", "instance 0 already exists")
    large = base64.b64encode(bytes(100_000)).decode()
    too_large = WriteResource(endpoint=NAME, path="5/0/0", values=(PathValue(path="5/0/0", value=large),))
    assert (await ask(client, too_large)).code == "4.13"


async def test_a_passive_cancellation_ends_its_notifications(
    device: LeshanDevice, client: Client, js: JetStreamContext
) -> None:
    observe = ObserveResource(endpoint=NAME, path="3303/0/5700")
    assert (await ask(client, observe)).code == "2.05"
    cancel = CancelObservation(endpoint=NAME, paths=("3303/0/5700",), passive=True)
    assert (await ask(client, cancel)).code == "2.05"
    device.do("temperature 61.5")  # answered with a Reset
    assert (await ask(client, observe)).code == "2.05"
    device.do("temperature 62.5")

    async def values() -> list[object]:
        seen: list[object] = [record.value for each in await reports(js) for record in each.data.records]
        return seen if 62.5 in seen else []

    both: list[object] = await until(values, 20, "the value of the second observation")
    assert both.count(62.5) == 1


async def test_started_again_with_the_same_name_it_is_asked_at_its_new_address(
    device: LeshanDevice, client: Client, class_path: str, js: JetStreamContext, coap_port: int
) -> None:
    with running_device(class_path, coap_port, NAME, queue_mode=True) as again:
        again.wait_for("registered")
        again.do("temperature 71.5")

        async def at_the_new_address() -> bool:
            answer = await ask(client, ReadResource(endpoint=NAME, path="3303/0/5700"))
            return [value.value for value in answer.values] == [71.5]

        reached: bool = await until(at_the_new_address, 20, "the value of the second")
        assert reached
