"""Desired values where several replicas look after them, each of which knows things a moment before another."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_operations.desired.alignment import aligned
from flownexus_operations.desired.wishes import merged
from flownexus_schemas import subjects
from flownexus_schemas.desired.standing import DesiredChanged, DesiredState, parse_desired_event
from flownexus_schemas.desired.wish import DesiredValues
from flownexus_schemas.subjects import Stream
from harness.lockstep import CHANGED, GET, PUT, TEXT, LockstepDevice
from harness.services import ServiceProcess
from integration.operations.conftest import LINKS, served, silence
from integration.operations.desired import Desired

LIFETIME = {"path": "1/0/1", "value": 600, "type": "integer"}
NEWCOMERS = 10


def has(device: LockstepDevice, value: int) -> None:
    device.answer(device.expect_request(GET, "1/0/1"), payload=str(value).encode(), content_format=TEXT)


async def wishes(js: JetStreamContext) -> list[str]:
    """The wish of each message of device-1, in their order, repeats left out."""
    found: list[str] = []
    for sequence in range(1, (await js.stream_info(Stream.OPERATIONS)).state.last_seq + 1):
        message = await js.get_msg(Stream.OPERATIONS, sequence)
        if message.subject == subjects.desired("device-1"):
            wish = parse_desired_event(message.data or b"").data.wish
            found += [] if found[-1:] == [wish] else [wish]
    return found


async def test_what_another_replica_rests_on_is_not_undone_before_it_is_known_here(
    js: JetStreamContext, device: LockstepDevice, operations: ServiceProcess, desired: Desired
) -> None:
    """The bucket of one replica lags behind the stream by a moment. Were its older wish to win meanwhile, what is known
    of the device would be forgotten, and read once more.
    """
    device.register(LINKS)
    await desired.of("device-1", values=[LIFETIME])
    await served(lambda: has(device, 600))
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC)
    before = await desired.is_settled("device-1")
    newer = [LIFETIME | {"value": 700}]
    now = datetime.now(UTC)
    wish = merged(DesiredValues.model_validate({"values": newer}), [])
    other = aligned(before, wish, None, now)
    event = DesiredChanged(id="other", source="/operations/other", subject="device-1", time=now, data=other)
    await js.publish(subjects.desired("device-1"), event.model_dump_json().encode())
    await silence(device, 0.5)
    await desired.of("device-1", values=newer)

    def serve() -> None:
        request = device.expect_request(PUT, "1/0/1")
        assert request.payload == b"700"
        device.answer(request, CHANGED)
        has(device, 700)

    await served(serve)
    await desired.reaches("device-1", "1/0/1", DesiredState.IN_SYNC, desired=700)
    await silence(device, 0.5)
    assert await wishes(js) == [before.wish, wish.digest]


async def test_a_replica_that_comes_knows_of_the_others_at_once(
    js: JetStreamContext, operations: ServiceProcess
) -> None:
    """It would take for its own what is theirs for a second otherwise."""
    client: Client = js._nc
    alive = await client.subscribe(subjects.ALL_OPERATIONS_ALIVE)
    async with asyncio.timeout(NEWCOMERS / 2):  # each says it once a second anyway
        for number in range(NEWCOMERS):
            own = subjects.operations_alive(f"newcomer-{number}")
            await client.publish(own, b"")
            while (await alive.next_msg(timeout=5)).subject.split(".")[2].startswith("newcomer-"):
                pass
