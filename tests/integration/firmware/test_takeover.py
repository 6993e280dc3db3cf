"""Firmware updates go on whoever is killed: operations at each step, one of two replicas, the gateway, NATS."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flownexus_schemas.firmware.update import FirmwareUpdate, Method, UpdateStatus
from harness.embedded import RunningNats
from harness.firmware_device import FirmwareDevice
from harness.services import ServiceProcess
from integration.firmware.conftest import FAST, IMAGE, Updates
from integration.operations.conftest import served

NewDevice = Callable[..., FirmwareDevice]
NewService = Callable[..., ServiceProcess]
Status = UpdateStatus

MOMENTS: dict[str, Callable[[FirmwareUpdate], bool]] = {
    "preparing": lambda update: update.status is not Status.QUEUED,
    "transferring": lambda update: update.status is Status.TRANSFERRING,
    "begun": lambda update: update.begun_at is not None,
    "installing": lambda update: update.installs > 0,
    "taken": lambda update: update.taken,
    "verifying": lambda update: update.status is Status.VERIFYING,
}


def once(device: FirmwareDevice, update: FirmwareUpdate) -> None:
    """All went well, and nothing was done twice."""
    assert update.status is Status.SUCCEEDED, update
    assert device.image == IMAGE
    assert (device.count("POST 5/0/2"), device.count("PUT 5/0/1"), update.installs) == (1, 1, 1), device.log


@pytest.mark.parametrize("moment", MOMENTS)
async def test_operations_killed_at_any_moment_goes_on_where_it_was(
    updates: Updates, operations: ServiceProcess, service: NewService, new_device: NewDevice, moment: str
) -> None:
    device = new_device(restart_s=1)
    name = await updates.ask(method=Method.PULL)
    await updates.becomes(name, lambda update: MOMENTS[moment](update) or not update.is_open)
    operations.kill()
    service("flownexus_operations", **FAST)

    once(device, await updates.ends(name))


async def test_a_second_replica_takes_over_at_once_and_meanwhile_nothing_is_done_twice(
    updates: Updates, operations: ServiceProcess, service: NewService, new_device: NewDevice
) -> None:
    other = service("flownexus_operations", **FAST)
    device = new_device(restart_s=2)
    device.stop_at = 30_000
    name = await updates.ask(method=Method.PULL)
    await served(lambda: device.wait_for("stands still"))
    operations.kill()
    device.go_on.set()
    await updates.becomes(name, lambda update: update.taken)
    service("flownexus_operations", **FAST)
    other.kill()

    once(device, await updates.ends(name))


@pytest.mark.timeout(240)  # what it had sent is waited for as long as an answer could come
@pytest.mark.parametrize("method", [Method.PULL, Method.PUSH])
async def test_a_gateway_killed_in_the_middle_of_the_image_goes_on(
    updates: Updates, operations: ServiceProcess, gateway: ServiceProcess, new_device: NewDevice, method: Method
) -> None:
    device = new_device(update_every_s=10)
    device.stop_at = 30_000
    name = await updates.ask(method=method)
    await updates.becomes(name, lambda update: update.started or not update.is_open)
    gateway.kill()
    gateway.start()
    device.go_on.set()
    update = await updates.ends(name, timeout_s=150)

    assert (update.status, device.image == IMAGE) == (Status.SUCCEEDED, True), update
    assert device.count("POST 5/0/2") == 1


async def test_nats_restarted_in_the_middle_loses_nothing(
    updates: Updates, operations: ServiceProcess, nats_server: RunningNats, new_device: NewDevice
) -> None:
    device = new_device()
    device.stop_at = 30_000
    name = await updates.ask(method=Method.PULL)
    await served(lambda: device.wait_for("stands still"))
    nats_server.kill()
    nats_server.start()
    device.go_on.set()

    once(device, await updates.ends(name, timeout_s=90))
