"""Leshan's client library against the real gateway, ingest, NATS and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import nats
import pytest
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_schemas.commands import (
    CancelObservation,
    DiscoverResources,
    ExecuteResource,
    PathValue,
    ReadComposite,
    ReadResource,
    WriteAttributes,
    WriteResource,
)
from harness.asking import ask
from harness.embedded import RunningNats
from harness.rows import rows
from harness.waiting import blocking_until, until
from interop.leshan_device import LeshanDevice, build, running_device

pytestmark = pytest.mark.timeout(300)

TEXT, SENML_JSON, SENML_CBOR, TLV = 0, 110, 112, 11542

VALUES = """
    select r.value_number, r.time, r.received_at
    from resource r join resource_type t on t.id = r.resource_type_id join endpoint e on e.id = r.endpoint_id
    where e.name = %s and t.object_id = %s and t.resource_id = %s order by r.stream_sequence, r.record_index
"""


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The device, compiled."""
    return build(tmp_path_factory.mktemp("leshan"))


@pytest.fixture
def coap_port(js: JetStreamContext, service: ServiceFactory) -> int:
    """The port of a gateway whose events ingest writes."""
    gateway = service("flownexus_gateway")
    service("flownexus_ingest")
    return int(gateway.env["FLOWNEXUS_COAP_PORT"])


def series(database_url: str, endpoint: str, object_id: int, resource_id: int) -> list[tuple[Any, ...]]:
    """Value, time and time of receipt of each reading, in order of receipt."""
    return rows(database_url, VALUES, endpoint, object_id, resource_id)


def states(database_url: str, endpoint: str) -> dict[str, str]:
    """What became of the observations of an endpoint, by path."""
    query = (
        "select o.paths, o.state from observation_outcome o join endpoint e on e.id = o.endpoint_id where e.name = %s"
    )
    return dict(rows(database_url, query, endpoint))


def wait_for_observations(database_url: str, device: LeshanDevice, endpoint: str) -> None:
    """Until the device is registered and both observations of the default profile are established."""
    device.wait_for("registered")
    wanted = {"3303/0/5700": "established", "10300": "established"}
    blocking_until(lambda: states(database_url, endpoint) == wanted, 30, f"{wanted} for {endpoint}")


async def test_it_registers_is_observed_notifies_updates_and_deregisters(
    coap_port: int, database_url: str, class_path: str
) -> None:
    endpoint = "leshan-1"
    with running_device(class_path, coap_port, endpoint) as device:
        wait_for_observations(database_url, device, endpoint)
        for value in (21.5, 22.25, 23.0):
            device.do(f"temperature {value}")
            await until(lambda: series(database_url, endpoint, 3303, 5700)[-1][0] == value or None, 20, f"{value}")  # noqa: B023
        assert [reading[0] for reading in series(database_url, endpoint, 3303, 5700)] == [20.0, 21.5, 22.25, 23.0]
        device.do("update")
        device.wait_for("updated")
        device.do("stop")
        device.wait_for("deregistered")
        device.wait_for("stopped")
    await until(lambda: bool(series(database_url, endpoint, 10240, 1)) or None, 20, "the end of the registration")
    assert len(series(database_url, endpoint, 10240, 0)) == 1
    assert len(series(database_url, endpoint, 10240, 2)) == 1
    query = "select registered, lwm2m_version, lifetime_s, queue_mode from endpoint where name = %s"
    assert rows(database_url, query, endpoint) == [(False, "1.1", 60, False)]


async def test_a_composite_notification_is_one_event(coap_port: int, database_url: str, class_path: str) -> None:
    endpoint = "leshan-2"
    with running_device(class_path, coap_port, endpoint) as device:
        wait_for_observations(database_url, device, endpoint)
        device.do("environment 24.5 41 100500")
        await until(lambda: series(database_url, endpoint, 10300, 2)[-1][0] == 100500.0 or None, 20, "the event")
    grouped = """
        select count(*) from event v join endpoint e on e.id = v.endpoint_id
        join event_resource g on g.event_time = v.time and g.event_stream_sequence = v.stream_sequence
        where e.name = %s group by v.stream_sequence order by v.stream_sequence desc limit 1
    """
    assert rows(database_url, grouped, endpoint) == [(3,)]


async def test_what_it_collected_and_sends_keeps_its_own_time(
    coap_port: int, database_url: str, class_path: str
) -> None:
    endpoint = "leshan-3"
    with running_device(class_path, coap_port, endpoint) as device:
        wait_for_observations(database_url, device, endpoint)
        before = datetime.now(UTC)
        for number, value in enumerate((25.0, 26.0), start=1):
            device.do(f"temperature {value}")
            device.do("collect")
            device.wait_for("collected", number)
        collected = datetime.now(UTC)
        device.do("send 112")
        device.wait_for("sent")

        def own_times() -> list[tuple[Any, ...]]:
            readings = series(database_url, endpoint, 3303, 5700)
            return [reading for reading in readings if reading[1] != reading[2]]

        sent = await until(lambda: own_times() if len(own_times()) == 2 else None, 20, "two readings with their times")
    assert sorted(reading[0] for reading in sent) == [25.0, 26.0]
    assert all(before <= reading[1].replace(tzinfo=UTC) <= collected for reading in sent)


@pytest.mark.parametrize("content_format", [None, TEXT, TLV, SENML_JSON, SENML_CBOR])
async def test_it_is_read_in_every_format(
    coap_port: int, nats_server: RunningNats, database_url: str, class_path: str, content_format: int | None
) -> None:
    endpoint = "leshan-5"
    client = await nats.connect(nats_server.url)
    try:
        with running_device(class_path, coap_port, endpoint) as device:
            wait_for_observations(database_url, device, endpoint)
            answer = await ask(client, ReadResource(endpoint=endpoint, path="3/0/0", format=content_format))
    finally:
        await client.close()
    assert [(value.path, value.value) for value in answer.values] == [("3/0/0", "Leshan")]


async def test_it_is_discovered_given_attributes_and_read_in_several_places(
    coap_port: int, nats_server: RunningNats, database_url: str, class_path: str
) -> None:
    endpoint = "leshan-6"
    client = await nats.connect(nats_server.url)
    try:
        with running_device(class_path, coap_port, endpoint) as device:
            wait_for_observations(database_url, device, endpoint)
            attributes = WriteAttributes(endpoint=endpoint, path="3303/0/5700", attributes={"pmin": 1, "pmax": 60})
            written = await ask(client, attributes)
            discovered = await ask(client, DiscoverResources(endpoint=endpoint, path="3303"))
            several = await ask(client, ReadComposite(endpoint=endpoint, paths=("3/0/0", "3303/0/5701")))
            missing = await ask(client, ReadResource(endpoint=endpoint, path="3303/0/5799"))
            lifetime = WriteResource(endpoint=endpoint, path="1/0/1", values=(PathValue(path="1/0/1", value=77),))
            changed = await ask(client, lifetime)
            device.wait_for("updated")
            triggered = await ask(client, ExecuteResource(endpoint=endpoint, path="1/0/8"))
            device.wait_for("updated", 2)
            cancelled = await ask(client, CancelObservation(endpoint=endpoint, paths=("3303/0/5700",)))
    finally:
        await client.close()
    assert (written.code, discovered.code, missing.code) == ("2.04", "2.05", "4.04")
    assert (changed.code, triggered.code, cancelled.code) == ("2.04", "2.04", "2.05")
    assert discovered.links is not None
    assert "</3303/0/5700>;pmax=60;pmin=1" in _sorted_attributes(discovered.links)
    assert {value.path: value.value for value in several.values} == {"3/0/0": "Leshan", "3303/0/5701": "Cel"}
    lifetime_s = "select lifetime_s from endpoint where name = %s"
    blocking_until(lambda: rows(database_url, lifetime_s, endpoint) == [(77,)], 20, "the lifetime written")


def _sorted_attributes(links: str) -> list[str]:
    parts = (link.split(";") for link in links.split(","))
    return [";".join([target, *sorted(attributes)]) for target, *attributes in parts]


async def test_queue_mode_is_seen(coap_port: int, database_url: str, class_path: str) -> None:
    endpoint = "leshan-4"
    with running_device(class_path, coap_port, endpoint, queue_mode=True) as device:
        wait_for_observations(database_url, device, endpoint)
    assert rows(database_url, "select queue_mode from endpoint where name = %s", endpoint) == [(True,)]
