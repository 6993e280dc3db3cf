"""Rollouts carried out by the real operations service, over the real NATS; updates go as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from nats.js import JetStreamContext

from flownexus_runtime.firmware_updates import request_update
from flownexus_schemas.firmware.update import UpdateStatus
from flownexus_schemas.rollouts.device import DeviceStatus, update_id
from flownexus_schemas.rollouts.lifecycle import Paused, Resumed, Stopped
from flownexus_schemas.rollouts.rollout import RolloutStatus
from harness.event_messages import publish, registered, updated
from harness.services import ServiceProcess
from harness.waiting import until
from integration.operations.rollouts import OnTheStream
from unit.rollouts.worlds import update_of

Device, Update = DeviceStatus, UpdateStatus
Start = Callable[..., ServiceProcess]
OPERATIONS = "flownexus_operations"


@pytest.fixture
def there(js: JetStreamContext) -> OnTheStream:
    return OnTheStream(js)


async def test_groups_are_updated_one_after_the_other_to_the_end(there: OnTheStream, service: Start) -> None:
    service(OPERATIONS)
    name = await there.make([1, 3], in_flight=2)
    assert await there.are(name, Device.UPDATING, 1) == ["d1-1"]
    await there.end(name, Update.SUCCEEDED, "d1-1")
    assert await there.are(name, Device.UPDATING, 2) == ["d2-1", "d2-2"]
    await there.end(name, Update.SUCCEEDED, "d2-2")
    assert await there.are(name, Device.SUCCEEDED, 2) == ["d1-1", "d2-2"]
    assert await there.are(name, Device.UPDATING, 2) == ["d2-1", "d2-3"]
    await there.end(name, Update.SUCCEEDED, "d2-1", "d2-3")
    rollout = await there.reaches(name, RolloutStatus.FINISHED)
    assert rollout.last_action == "Finished: 4 succeeded."
    assert await there.most_in_flight(name) == 2
    device = (await there.devices(name))["d2-1"]
    assert device.update == update_id(name, "d2-1", 1)
    kinds = [event.type.removeprefix("io.flownexus.") for event in await there.history(name)]
    first = ["rollout.planned.v1", "rollout.requested.v1", "rollout.group-begun.v1", "rollout-device.begun.v1"]
    assert kinds[:4] == first


async def test_it_halts_takes_back_what_is_under_way_and_goes_on_once_it_is_resumed(
    there: OnTheStream, service: Start
) -> None:
    service(OPERATIONS)
    name = await there.make([4, 2], in_flight=3, of_group={"failed_percent": 0})
    await there.are(name, Device.UPDATING, 3)
    await there.end(name, Update.FAILED, "d1-2")
    rollout = await there.reaches(name, RolloutStatus.HALTED)
    assert "1 of 4 devices of group 1 failed, more than 0 %: d1-2 (Its update failed: It broke)" in rollout.last_action
    assert await there.are(name, Device.WAITING, 5) == ["d1-1", "d1-3", "d1-4", "d2-1", "d2-2"]
    await asyncio.sleep(1.5)  # what halted begins nothing, however often it is looked at
    assert await there.those(name, Device.UPDATING) == []

    await there.happen(name, Resumed("olga"))
    await there.are(name, Device.UPDATING, 3)
    assert (await there.devices(name))["d1-1"].attempt == 2
    await there.end(name, Update.SUCCEEDED, "d1-1", "d1-3", "d1-4")
    await there.are(name, Device.UPDATING, 2)
    await there.end(name, Update.SUCCEEDED, "d2-1", "d2-2")
    assert (await there.reaches(name, RolloutStatus.FINISHED)).last_action == "Finished: 5 succeeded, 1 failed."


async def test_what_is_paused_begins_nothing_and_what_is_stopped_is_taken_back(
    there: OnTheStream, service: Start
) -> None:
    service(OPERATIONS)
    name = await there.make([3], in_flight=1)
    await there.are(name, Device.UPDATING, 1)
    await there.happen(name, Paused("olga"))
    await there.end(name, Update.SUCCEEDED, "d1-1")
    await there.are(name, Device.SUCCEEDED, 1)
    await asyncio.sleep(1.5)
    assert await there.those(name, Device.UPDATING) == []
    await there.happen(name, Resumed("olga"))
    await there.are(name, Device.UPDATING, 1)
    await there.happen(name, Stopped("olga"))
    await there.are(name, Device.CANCELLED, 1)

    async def is_settled() -> bool:
        return not (await there.rollout(name)).is_open

    settled: bool = await until(is_settled, 30, "the end of what was stopped")
    assert settled
    assert (await there.those(name, Device.WAITING), (await there.asked()).total()) == (["d1-3"], 2)


async def test_another_replica_goes_on_where_one_died_and_asks_for_nothing_twice(
    there: OnTheStream, service: Start
) -> None:
    first = service(OPERATIONS)
    name = await there.make([6], in_flight=2)
    await there.are(name, Device.UPDATING, 2)
    first.kill()
    await there.end(name, Update.SUCCEEDED, "d1-1")
    service(OPERATIONS)
    assert await there.are(name, Device.UPDATING, 2) == ["d1-2", "d1-3"]
    for number in range(2, 7):
        await there.are(name, Device.SUCCEEDED, number - 1)
        await there.end(name, Update.SUCCEEDED, f"d1-{number}")
    await there.reaches(name, RolloutStatus.FINISHED)
    assert set((await there.asked()).values()) == {1}
    assert await there.most_in_flight(name) == 2


async def test_several_replicas_share_rollouts_and_none_does_more_than_it_may(
    there: OnTheStream, service: Start
) -> None:
    for _ in range(3):
        service(OPERATIONS)
    names = [await there.make([2, 6], f"r{number}-", in_flight=2) for number in range(4)]

    async def work(name: str) -> None:
        while (await there.rollout(name)).is_open:
            await there.end(name, Update.SUCCEEDED, *await there.those(name, Device.UPDATING))

    async with asyncio.timeout(90):
        await asyncio.gather(*map(work, names))
    for name in names:
        assert (await there.rollout(name)).last_action == "Finished: 8 succeeded."
        assert await there.most_in_flight(name) <= 2
    assert sorted((await there.asked()).values()) == [1] * 32
    sources = {event.source for name in names for event in await there.history(name) if "operations" in event.source}
    assert len(sources) > 1


async def test_a_device_of_which_another_update_is_under_way_waits_for_that(there: OnTheStream, service: Start) -> None:
    service(OPERATIONS)
    other = await there.make([1])
    await there.are(other, Device.UPDATING, 1)
    name = await there.make([1, 1], in_flight=5)

    async def says() -> bool:
        return "another update, to 2.0" in (await there.devices(name))["d1-1"].last_action

    waits: bool = await until(says, 30, "that it waits")
    assert waits
    assert await there.those(name, Device.UPDATING) == []
    await there.end(other, Update.SUCCEEDED, "d1-1")
    assert await there.are(name, Device.UPDATING, 1) == ["d1-1"]
    devices = await there.devices(name)
    assert [event.type for event in await there.history(name)].count("io.flownexus.rollout-device.postponed.v1") == 1
    assert devices["d1-1"].attempt == 1


async def test_an_update_that_is_there_already_under_its_id_is_followed(there: OnTheStream, service: Start) -> None:
    """Whoever asked for it died before the device was said to be begun, or after."""
    name = await there.make([1])
    device = (await there.devices(name))["d1-1"].model_copy(update={"update": update_id(name, "d1-1", 1)})
    await request_update(there.js, update_of(device, datetime.now(UTC)), "/operations/dead")
    service(OPERATIONS)
    await there.are(name, Device.UPDATING, 1)
    await there.end_update(update_id(name, "d1-1", 1), "d1-1", Update.SUCCEEDED)
    assert (await there.reaches(name, RolloutStatus.FINISHED)).last_action == "Finished: 1 succeeded."
    assert (await there.asked()) == {"d1-1": 1}


async def test_registrations_after_the_update_halt_it_also_those_that_no_replica_saw(
    there: OnTheStream, service: Start
) -> None:
    operations = service(OPERATIONS)
    watch = {"seconds": 600, "more_registrations": 1}
    name = await there.make([2], watch=watch, of_group={"failed_percent": 0})
    now = datetime.now(UTC)
    await publish(there.js, *(registered(f"d1-{number}", now, lifetime_s=600) for number in (1, 2)))
    await there.are(name, Device.UPDATING, 2)
    await there.end(name, Update.SUCCEEDED, "d1-1", "d1-2")
    await there.are(name, Device.WATCHED, 2)
    await publish(there.js, registered("d1-1", datetime.now(UTC), "again"))
    operations.kill()
    await publish(there.js, registered("d1-1", datetime.now(UTC), "and-again"))
    service(OPERATIONS)
    rollout = await there.reaches(name, RolloutStatus.HALTED)
    assert "d1-1 (It registered 2 times since its update, 0 times in as long before)" in rollout.last_action
    assert await there.those(name, Device.WATCHED) == ["d1-2"]


async def test_an_updated_device_that_is_not_heard_any_more_halts_it_and_one_that_is_heard_does_not(
    there: OnTheStream, service: Start
) -> None:
    service(OPERATIONS)
    watch = {"seconds": 600, "quiet_after_s": 3}
    name = await there.make([2], watch=watch, of_group={"failed_percent": 50})
    await there.are(name, Device.UPDATING, 2)
    await there.end(name, Update.SUCCEEDED, "d1-1", "d1-2")
    await there.are(name, Device.WATCHED, 2)

    async def d2_talks() -> bool:
        await publish(there.js, updated("d1-2", datetime.now(UTC)))
        return await there.those(name, Device.QUIET) == ["d1-1"]

    is_silent: bool = await until(d2_talks, 30, "the silence of one device")
    assert is_silent
    assert (await there.rollout(name)).status is RolloutStatus.RUNNING  # one of two is not more than 50 %
    await there.reaches(name, RolloutStatus.HALTED)
    assert sorted(await there.those(name, Device.QUIET, Device.REBOOTING)) == ["d1-1", "d1-2"]
