"""Desired values from the buckets to the device: only the difference is written, when the device listens."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import PathValue, ReadResource, WriteResource
from flownexus_schemas.desired.standing import AskedFor, DesiredChanged, DesiredState
from flownexus_schemas.operations.messages import parse_operation_event
from flownexus_schemas.operations.operation import OperationStatus
from flownexus_schemas.subjects import Stream
from harness.lockstep import (
    CHANGED,
    CON,
    CONTENT_FORMAT,
    FETCH,
    GET,
    IPATCH,
    LINK_FORMAT,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    POST,
    PUT,
    SENML_JSON,
    TEXT,
    URI_PATH,
    URI_QUERY,
    LockstepDevice,
    Silence,
    datagram,
    uint,
)
from harness.services import ServiceProcess
from integration.operations.conftest import Asked, served
from integration.operations.desired import Desired

LIFETIME = {"path": "1/0/1", "value": 600, "type": "integer"}
PERIOD = {"path": "1/0/2", "value": 5, "type": "integer"}
LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</3303/0>'


def has(device: LockstepDevice, path: str, value: str) -> None:
    """A read of one resource, and its value."""
    device.answer(device.expect_request(GET, path), payload=value.encode(), content_format=TEXT)


def takes(device: LockstepDevice, path: str, value: str, code: int = CHANGED) -> None:
    """A write of one resource, and what the device says to it."""
    request = device.expect_request(PUT, path)
    assert request.payload == value.encode()
    device.answer(request, code)


def is_silent(device: LockstepDevice, seconds: float = 1.0) -> None:
    with pytest.raises(Silence):
        device.receive(seconds)


def sends(device: LockstepDevice, path: str, value: int) -> None:
    """A Send of one resource, and its acknowledgement. LwM2M Core 1.1.1, 6.4.6."""
    options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(SENML_JSON))]
    payload = json.dumps([{"n": f"/{path}", "v": value}]).encode()
    device.exchange(datagram(CON, POST, next(device.message_ids), b"\x09", options, payload))


async def operations_of(js: JetStreamContext, endpoint: str) -> list[str]:
    """What was asked of an endpoint, in its order."""
    found: list[str] = []
    for sequence in range(1, (await js.stream_info(Stream.OPERATIONS)).state.last_seq + 1):
        message = await js.get_msg(Stream.OPERATIONS, sequence)
        if (message.subject or "").count(".") == 3:
            operation = parse_operation_event(message.data or b"").data
            if (operation.endpoint, operation.status, operation.attempts) == (endpoint, OperationStatus.QUEUED, 0):
                found.append(operation.command.operation)
    return found


async def test_only_what_differs_is_written_and_once_it_holds_nothing_more_is_sent(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired, js: JetStreamContext
) -> None:
    await desired.of("device-1", values=[LIFETIME])
    device.register(LINKS)

    def serve() -> None:
        has(device, "1/0/1", "300")
        takes(device, "1/0/1", "600")
        has(device, "1/0/1", "600")
        is_silent(device)
        device.update()
        is_silent(device)

    await served(serve)
    held = await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)
    assert (held.desired, held.reported, held.profile) == (600, 600, None)
    assert await operations_of(js, "device-1") == ["read", "write", "read"]


async def test_what_holds_already_is_read_and_not_written(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])

    def serve() -> None:
        has(device, "1/0/1", "600")
        is_silent(device)

    await served(serve)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)


async def test_a_sleeping_device_is_pending_until_it_wakes(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    device.register(LINKS, "b=U", "Q")
    await served(lambda: is_silent(device, 2.5))
    await desired.of("device-1", values=[LIFETIME])
    await desired.reaches("device-1", "1/0/1", DesiredState.PENDING)
    await served(lambda: is_silent(device))
    assert (await desired.now("device-1")).asked is None

    def wake_up() -> None:
        device.update()
        has(device, "1/0/1", "300")
        takes(device, "1/0/1", "600")
        has(device, "1/0/1", "600")

    await served(wake_up)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)


async def test_an_endpoint_that_never_registered_has_its_wish_kept(
    operations: ServiceProcess, desired: Desired
) -> None:
    await desired.of("never", values=[LIFETIME])
    assert (await desired.reaches("never", "1/0/1", DesiredState.PENDING)).reported is None


async def test_what_a_device_reports_needs_no_read_and_what_differs_is_written_at_once(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    device.register(LINKS, "b=U", "Q")
    await served(lambda: is_silent(device, 2.5))
    await desired.of("device-1", values=[LIFETIME])
    await desired.reaches("device-1", "1/0/1", DesiredState.PENDING)

    def report() -> None:
        sends(device, "1/0/1", 600)
        is_silent(device)

    await served(report)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)

    def differ() -> None:
        sends(device, "1/0/1", 300)
        takes(device, "1/0/1", "600")
        has(device, "1/0/1", "600")
        is_silent(device)

    await served(differ)
    held = await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC, reverts=1)
    assert held.reported == 600


async def test_what_a_reboot_lost_is_shown_as_drift_and_written_again(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])
    await served(lambda: has(device, "1/0/1", "600"))
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)

    device.move()
    device.register(LINKS)
    await served(lambda: has(device, "1/0/1", "300"))
    drifted = await desired.reaches("device-1", "1/0/1", DesiredState.DRIFTED)
    assert (drifted.reported, drifted.reason) == (300, "The device had it and has another value.")

    def mend() -> None:
        takes(device, "1/0/1", "600")
        has(device, "1/0/1", "600")
        is_silent(device)

    await served(mend)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)


async def test_a_refusal_is_shown_with_its_code_and_tried_again_at_the_next_registration_or_with_another_wish(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])

    def refuse() -> None:
        has(device, "1/0/1", "300")
        device.answer(device.expect_request(PUT, "1/0/1"), METHOD_NOT_ALLOWED, payload=b"not now")
        is_silent(device)
        device.update()
        is_silent(device)

    await served(refuse)
    refused = await desired.reaches("device-1", "1/0/1", DesiredState.REFUSED)
    assert (refused.code, refused.reason, refused.reported) == ("4.05", "not now", 300)

    def register_and_refuse() -> None:
        device.move()
        device.register(LINKS)
        has(device, "1/0/1", "300")
        takes(device, "1/0/1", "600", METHOD_NOT_ALLOWED)

    await served(register_and_refuse)
    await desired.reaches("device-1", "1/0/1", DesiredState.REFUSED, refusals=2)
    await desired.of("device-1", values=[LIFETIME | {"value": 120}])

    def take() -> None:
        takes(device, "1/0/1", "120")
        has(device, "1/0/1", "120")

    await served(take)
    assert (await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)).code is None


async def test_a_device_that_takes_it_and_keeps_another_is_told_and_not_written_again_at_once(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])

    def serve() -> None:
        has(device, "1/0/1", "300")
        takes(device, "1/0/1", "600")
        has(device, "1/0/1", "300")
        is_silent(device)
        device.update()
        is_silent(device)

    await served(serve)
    drifted = await desired.reaches("device-1", "1/0/1", DesiredState.DRIFTED)
    assert drifted.reason == "The device took it and has another value."


def senml(**values: int) -> bytes:
    return json.dumps([{"n": f"/1/0/{name[1:]}", "v": value} for name, value in values.items()]).encode()


async def test_the_endpoints_own_wins_over_a_profile_and_several_go_together(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    await desired.profile("fleet", endpoints=["device-*"], values=[LIFETIME | {"value": 900}, PERIOD])
    await desired.of("device-1", values=[LIFETIME])
    device.register(LINKS)

    def serve() -> None:
        read = device.expect_request(FETCH, "")
        assert json.loads(read.payload) == [{"n": "/1/0/1"}, {"n": "/1/0/2"}]
        device.answer(read, payload=senml(r1=300, r2=0), content_format=SENML_JSON)
        written = device.expect_request(IPATCH, "")
        assert json.loads(written.payload) == [{"bn": "/1/0/", "n": "1", "v": 600}, {"n": "2", "v": 5}]
        device.answer(written, CHANGED)
        read = device.expect_request(FETCH, "")
        device.answer(read, payload=senml(r1=600, r2=5), content_format=SENML_JSON)
        is_silent(device)

    await served(serve)
    assert (await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)).profile is None
    assert (await desired.reaches("device-1", "1/0/2", DesiredState.IN_SYNC)).profile == "fleet"

    await desired.of("device-1")

    def follow_the_profile() -> None:
        takes(device, "1/0/1", "900")
        has(device, "1/0/1", "900")

    await served(follow_the_profile)
    assert (await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)).profile == "fleet"


async def test_a_device_of_version_1_0_is_asked_resource_by_resource(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    await desired.of("device-1", values=[LIFETIME, PERIOD])
    device.register(LINKS, version="1.0")

    def serve() -> None:
        has(device, "1/0/1", "300")
        has(device, "1/0/2", "0")
        takes(device, "1/0/1", "600")
        takes(device, "1/0/2", "5", METHOD_NOT_ALLOWED)
        has(device, "1/0/1", "600")
        is_silent(device)

    await served(serve)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)
    await desired.reaches("device-1", "1/0/2", DesiredState.REFUSED, code="4.05")


async def test_of_a_refused_composite_write_only_the_value_at_fault_is_refused(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    await desired.of("device-1", values=[LIFETIME, PERIOD])
    device.register(LINKS)

    def serve() -> None:
        device.answer(device.expect_request(FETCH, ""), payload=senml(r1=300, r2=0), content_format=SENML_JSON)
        device.answer(device.expect_request(IPATCH, ""), METHOD_NOT_ALLOWED)
        takes(device, "1/0/1", "600")
        takes(device, "1/0/2", "5", METHOD_NOT_ALLOWED)
        has(device, "1/0/1", "600")
        is_silent(device)

    await served(serve)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)
    await desired.reaches("device-1", "1/0/2", DesiredState.REFUSED, code="4.05")


async def test_attributes_are_discovered_written_and_discovered_again(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    await desired.of("device-1", attributes=[{"path": "3303", "attributes": {"pmin": 60, "pmax": 600}}])
    device.register(LINKS)

    def lists(links: bytes) -> None:
        device.answer(device.expect_request(GET, "3303"), payload=links, content_format=LINK_FORMAT)

    def serve() -> None:
        lists(b"</3303>;pmin=60,</3303/0>,</3303/0/5700>;pmin=1")
        written = device.expect_request(PUT, "3303")
        assert (written.all(URI_QUERY), written.payload) == ([b"pmax=600"], b"")
        device.answer(written, CHANGED)
        lists(b"</3303>;pmin=60;pmax=600,</3303/0>,</3303/0/5700>;pmin=1")
        is_silent(device)

    await served(serve)
    held = await desired.reaches("device-1", "3303", DesiredState.IN_SYNC, attribute="pmax")
    assert (held.desired, held.reported) == (600, 600)
    assert (await desired.reaches("device-1", "3303", DesiredState.IN_SYNC, attribute="pmin")).desired == 60


async def test_what_cannot_be_read_is_written_and_what_is_not_there_too(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    await desired.of("device-1", values=[LIFETIME, PERIOD])
    device.register(LINKS, version="1.0")

    def serve() -> None:
        device.answer(device.expect_request(GET, "1/0/1"), METHOD_NOT_ALLOWED)
        device.answer(device.expect_request(GET, "1/0/2"), NOT_FOUND)
        takes(device, "1/0/1", "600")
        takes(device, "1/0/2", "5")
        has(device, "1/0/2", "5")
        is_silent(device)

    await served(serve)
    unseen = await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)
    assert unseen.reason == "The device took it, and does not show what it has."
    await desired.reaches("device-1", "1/0/2", DesiredState.IN_SYNC, reported=5)


async def test_what_the_device_does_not_list_is_absent_and_nothing_is_sent(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    await desired.of("device-1", values=[LIFETIME | {"path": "1/1/1"}])
    device.register(LINKS)
    await served(lambda: is_silent(device))
    absent = await desired.reaches("device-1", "1/1/1", DesiredState.ABSENT)
    assert absent.reason == "The device does not list 1/1."


async def test_without_its_wish_what_is_queued_is_taken_back(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired, asked: Asked
) -> None:
    device.register(LINKS)
    name = await asked.ask(ReadResource(endpoint="device-1", path="3/0/0"))
    first = await served(lambda: device.expect_request(GET, "3/0/0"))
    await desired.of("device-1", values=[LIFETIME])
    under_way = (await desired.asks("device-1")).operation_id
    await asked.reaches(under_way, OperationStatus.QUEUED)
    await desired.of("device-1")
    assert (await asked.ends(under_way)).last_action == "Cancelled by desired values, which changed."
    device.answer(first, payload=b"maker", content_format=TEXT)
    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED
    await served(lambda: is_silent(device))
    assert (await desired.is_settled("device-1")).resources == ()


async def test_without_its_wish_what_is_under_way_ends_and_nothing_follows(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired, asked: Asked
) -> None:
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])
    await served(lambda: has(device, "1/0/1", "300"))
    written = await served(lambda: device.expect_request(PUT, "1/0/1"))
    under_way = (await desired.asks("device-1")).operation_id
    await desired.of("device-1")
    device.answer(written, CHANGED)
    assert (await asked.ends(under_way)).status is OperationStatus.CONFIRMED
    await served(lambda: is_silent(device))
    assert (await desired.is_settled("device-1")).resources == ()


async def test_two_replicas_write_once(
    device: LockstepDevice,
    operations: ServiceProcess,
    service: Callable[..., ServiceProcess],
    desired: Desired,
    js: JetStreamContext,
) -> None:
    service("flownexus_operations")
    service("flownexus_operations")
    device.register(LINKS)
    for value in (600, 700, 800):
        await desired.of("device-1", values=[LIFETIME | {"value": value}])

        def serve(value: int = value) -> None:
            if value == 600:
                has(device, "1/0/1", "300")
            takes(device, "1/0/1", str(value))
            has(device, "1/0/1", str(value))
            is_silent(device)

        await served(serve)
        await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC, desired=value)
    assert await operations_of(js, "device-1") == ["read", *["write", "read"] * 3]


async def test_a_replica_killed_while_the_device_writes_is_followed_by_one_that_reads_back(
    device: LockstepDevice, operations: ServiceProcess, service: Callable[..., ServiceProcess], desired: Desired
) -> None:
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])
    await served(lambda: has(device, "1/0/1", "300"))
    written = await served(lambda: device.expect_request(PUT, "1/0/1"))
    operations.kill()
    device.answer(written, CHANGED)
    service("flownexus_operations")

    def serve() -> None:
        has(device, "1/0/1", "600")
        is_silent(device)

    await served(serve)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)


async def test_a_replica_that_died_before_its_operation_was_kept_is_followed_by_one_that_asks_for_it(
    device: LockstepDevice,
    operations: ServiceProcess,
    service: Callable[..., ServiceProcess],
    desired: Desired,
    js: JetStreamContext,
) -> None:
    await desired.of("device-1", values=[LIFETIME])
    before = await desired.reaches("device-1", "1/0/1", DesiredState.PENDING)
    known = await desired.now("device-1")
    operations.kill()
    command = WriteResource(
        endpoint="device-1", path="1/0/1", values=(PathValue.model_validate(LIFETIME),), timeout_s=60
    )
    under_way = AskedFor(
        operation_id="desired-0123",
        command=command,
        about=(("1/0/1", "", before.digest),),
        asked_at=datetime.now(UTC),
    )
    event = DesiredChanged(
        id="x",
        source="/operations/dead",
        subject="device-1",
        time=datetime.now(UTC),
        data=known.model_copy(update={"asked": under_way, "asked_count": 1}),
    )
    await js.publish(subjects.desired("device-1"), event.model_dump_json().encode())
    service("flownexus_operations")
    device.register(LINKS)

    def serve() -> None:
        takes(device, "1/0/1", "600")
        has(device, "1/0/1", "600")
        is_silent(device)

    await served(serve)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)


async def test_what_people_ask_for_comes_first(
    device: LockstepDevice, operations: ServiceProcess, desired: Desired, asked: Asked
) -> None:
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])
    first = await served(lambda: device.expect_request(GET, "1/0/1"))
    name = await asked.ask(ReadResource(endpoint="device-1", path="3/0/0"))
    device.answer(first, payload=b"300", content_format=TEXT)

    def serve() -> None:
        has(device, "3/0/0", "maker")
        takes(device, "1/0/1", "600")

    await served(serve)
    assert (await asked.ends(name)).status is OperationStatus.CONFIRMED
