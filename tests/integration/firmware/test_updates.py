"""Firmware updates over gateway and operations: pulled, pushed, in their time, of devices that fail, taken back."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.firmware.update import Method, UpdateStatus
from flownexus_schemas.firmware.window import Install
from flownexus_schemas.operations.messages import parse_operation_event
from flownexus_schemas.subjects import Stream
from harness.firmware_device import DOWNLOADING, IDLE, FirmwareDevice
from harness.lockstep import CHANGED, METHOD_NOT_ALLOWED, Heard, Silence
from harness.services import ServiceProcess
from harness.waiting import blocking_until
from integration.firmware.conftest import IMAGE, Updates
from integration.operations.conftest import served

NewDevice = Callable[..., FirmwareDevice]
SUCCEEDED, FAILED, CANCELLED = UpdateStatus.SUCCEEDED, UpdateStatus.FAILED, UpdateStatus.CANCELLED


@pytest.mark.parametrize("method", [Method.PULL, Method.PUSH])
async def test_a_device_is_updated(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice, method: Method
) -> None:
    device = new_device()
    name = await updates.ask(method=method)
    update = await updates.ends(name)

    assert (update.status, update.version_before, update.version_after) == (SUCCEEDED, "1.0", "2.0"), update
    assert device.image == IMAGE
    assert (device.count("POST 5/0/2"), device.count("PUT 5/0/1")) == (1, int(method is Method.PULL))
    assert (update.transferred, update.installs, update.retries) == (len(IMAGE), 1, 0)
    statuses = list(dict.fromkeys(event.data.status.value for event in await updates.history(name)))
    assert statuses == [
        "QUEUED",
        "PREPARING",
        "TRANSFERRING",
        "DOWNLOADED",
        "INSTALLING",
        "VERIFYING",
        "SUCCEEDED",
    ]
    assert all(event.data.last_action.endswith(".") for event in await updates.history(name))


async def test_each_thing_that_is_asked_of_the_device_is_an_operation_of_one_batch(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice, js: JetStreamContext
) -> None:
    device = new_device()
    update = await updates.ends(await updates.ask())

    asked = []
    for number in range(1, update.steps + 1):
        subject = subjects.operation("device-1", f"{update.id}-{number}")
        asked.append(parse_operation_event((await js.get_last_msg(Stream.OPERATIONS, subject)).data or b"").data)
    assert {one.batch for one in asked} == {f"firmware-{update.id}"}
    assert {str(one.status) for one in asked} == {"CONFIRMED"}
    requests = [entry for entry in device.log if entry[:3] in {"GET", "PUT", "POS"}]
    assert len(requests) == len(asked)


async def test_a_device_that_sleeps_is_awake_while_it_downloads(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    device = new_device(queries=("b=U", "Q"))
    # It tells nothing by itself: that it listens still, after its window of 3 s, is known by the download alone.
    device.handlers = dict.fromkeys(("GET 5/0/3", "GET 5/0/5"), _refuse)
    device.pace_s = 0.06
    update = await updates.ends(await updates.ask())

    assert update.status is SUCCEEDED, update
    assert device.image == IMAGE


def _refuse(device: FirmwareDevice, heard: Heard) -> bool:
    device.answer(heard, METHOD_NOT_ALLOWED)
    return True


async def test_a_device_that_is_asleep_is_updated_at_its_next_sign_of_life(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    device = new_device(queries=("b=U", "Q"))
    with pytest.raises(Silence):
        await served(lambda: silence_of(device, 4))
    name = await updates.ask()
    waiting = await updates.reaches(name, UpdateStatus.PREPARING)
    assert waiting.waiting_for == "the device's answer to the read of 5/0, which is sent when the device listens"
    with pytest.raises(Silence):
        await served(lambda: silence_of(device, 1))
    device.wake()

    assert (await updates.ends(name)).status is SUCCEEDED


def silence_of(device: FirmwareDevice, seconds: float) -> None:
    """Raises Silence where it is asked nothing for so long."""
    before = len(device.log)
    try:
        blocking_until(lambda: len(device.log) > before, seconds)
    except AssertionError as error:
        raise Silence(str(error)) from error


async def test_another_version_than_the_wanted_one_is_a_failure(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    new_device(new_version="1.5")
    update = await updates.ends(await updates.ask())

    assert (update.status, update.version_after) == (FAILED, "1.5")
    assert update.last_action == "The device says success and runs 1.5, not 2.0."


async def test_a_device_that_is_back_with_its_old_version_gets_it_again_soon_and_not_without_end(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    """Its bootloader takes the new version back, and tells nobody."""
    device = new_device(new_version=None)
    device.result_after = 0
    update = await updates.ends(await updates.ask(), timeout_s=120)

    assert (update.status, update.installs, device.count("POST 5/0/2")) == (FAILED, 3, 3)
    assert update.last_action == (
        "The update did not take: the device came back with 1.0, and no result (5/0/5 is 0). "
        "It was told to install 3 times: no more."
    )


async def test_a_download_that_fails_is_tried_again(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    device = new_device()
    left = [4, 4]

    def fail(device: FirmwareDevice, heard: Heard) -> bool:
        if not left or not heard.payload:
            return False
        device.answer(heard, CHANGED)
        device.becomes(DOWNLOADING, 0)
        device.becomes(IDLE, left.pop())
        return True

    device.handlers["PUT 5/0/1"] = fail
    update = await updates.ends(await updates.ask())

    assert (update.status, update.retries, update.results) == (SUCCEEDED, 2, (4, 4)), update


async def test_it_waits_for_its_time(updates: Updates, operations: ServiceProcess, new_device: NewDevice) -> None:
    device = new_device()
    begin = datetime.now(UTC) + timedelta(seconds=6)
    name = await updates.ask(install=Install(not_before=begin))
    waiting = await updates.reaches(name, UpdateStatus.DOWNLOADED)
    assert waiting.waiting_for == f"the time to install, {begin:%Y-%m-%d %H:%M:%S} UTC"
    assert device.count("POST 5/0/2") == 0
    update = await updates.ends(name)

    assert update.status is SUCCEEDED
    asked = next(event for event in await updates.history(name) if event.data.status is UpdateStatus.INSTALLING)
    assert asked.time >= begin


@pytest.mark.parametrize("method", [Method.PULL, Method.PUSH])
async def test_a_download_is_taken_back(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice, method: Method
) -> None:
    device = new_device()
    device.stop_at = 20_000
    name = await updates.ask(method=method, install=Install(not_before=datetime.now(UTC) + timedelta(days=1)))
    await updates.becomes(name, lambda update: update.started)
    await updates.cancel(name)
    update = await updates.ends(name)

    assert (update.status, device.state, device.count("POST 5/0/2")) == (CANCELLED, IDLE, 0), update
    assert update.last_action == "Taken back by admin; the device has nothing of the image any more."
    assert "dropped" in device.log
    device.go_on.set()
    again = await updates.ends(await updates.ask())
    assert again.status is SUCCEEDED


async def test_a_device_that_was_restarted_in_the_middle_gets_it_again(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    device = new_device()
    device.stop_at = 30_000
    name = await updates.ask()
    await served(lambda: device.wait_for("stands still"))
    device.restart()
    device.go_on.set()
    update = await updates.ends(name)

    assert (update.status, update.retries) == (SUCCEEDED, 1), update
    assert device.image == IMAGE


async def test_a_device_that_refuses_the_read_of_the_object_is_asked_for_its_resources(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    device = new_device(protocols=(0,))
    device.handlers = {"GET 5/0": _refuse}
    update = await updates.ends(await updates.ask(method=Method.PULL))

    assert (update.status, update.result, update.device.protocols) == (SUCCEEDED, 1, (0,)), update
    assert device.image == IMAGE
    assert device.count("GET 5/0") == 1


async def test_a_device_that_installs_without_end_has_failed(
    updates: Updates, operations: ServiceProcess, new_device: NewDevice
) -> None:
    new_device(restart_s=3600)
    update = await updates.ends(await updates.ask())

    assert (update.status, update.installs) == (FAILED, 1)
    assert update.last_action.startswith("The device did not come back within")
