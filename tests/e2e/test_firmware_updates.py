"""Updates of a megabyte on the whole system: by each way, and through restarts of whoever takes part in them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from flownexus_schemas.firmware.update import FirmwareUpdate, Method, Scheme, UpdateStatus
from flownexus_simulator.image import make
from harness.embedded import open_folder
from harness.firmware_updates import FirmwareUpdates, Uploaded, told, upload
from harness.fleet import RunningFleet
from harness.held_images import HeldImages
from harness.rows import rows
from harness.system import RunningSystem
from harness.waiting import blocking_until
from harness.zephyr_like import ZephyrLike

pytestmark = pytest.mark.timeout(600)

IMAGE = make("thermometer", "2.0.0", 1_000_000)
WAYS = ((Method.PULL, Scheme.COAP), (Method.PULL, Scheme.HTTP), (Method.PUSH, Scheme.AUTO))
ZEPHYR_WAYS = (WAYS[0], WAYS[2])
PATIENCE_S = 300
RATE = 100_000
"""Bytes a second that devices fetch, so that there is time to kill somebody."""


@pytest.fixture(scope="module")
def held() -> HeldImages:
    """What devices fetch by HTTP through."""
    return HeldImages(len(IMAGE))


@pytest.fixture(scope="module")
def system(held: HeldImages) -> Iterator[RunningSystem]:
    """One system for the tests of this module; each leaves it running."""
    with open_folder() as folder:
        running = RunningSystem(folder, f"--firmware-http-url={held.http_url}")
        try:
            running.start()
            with held.open(running.coap_port, running.api_port):
                yield running
        finally:
            running.erase()


@pytest.fixture(scope="module")
def image(system: RunningSystem) -> Uploaded:
    with system.api() as api:
        return upload(api, IMAGE, "2.0.0")


@pytest.fixture
def updates(system: RunningSystem) -> FirmwareUpdates:
    return FirmwareUpdates(system.connection.nats_url)


@pytest.fixture
def devices(system: RunningSystem, tmp_path: Path) -> Iterator[Devices]:
    with ExitStack() as stack:
        yield Devices(system, tmp_path, stack)


class Devices:
    """Those of one test, each with a name of its own."""

    def __init__(self, system: RunningSystem, folder: Path, stack: ExitStack) -> None:
        self._system, self._folder, self._stack = system, folder, stack
        self.fleets: list[RunningFleet] = []
        self.zephyrs: list[ZephyrLike] = []

    def simulated(self, prefix: str, count: int, *options: str) -> list[str]:
        """The names of registered devices."""
        arguments = (f"--prefix={prefix}", f"--devices={count}", "--interval=600", *options)
        fleet = RunningFleet(self._folder / prefix, self._system.coap_port, *arguments)
        self._stack.callback(fleet.kill)
        self.fleets.append(fleet)
        names = [f"{prefix}-{number:05}" for number in range(count)]
        self._wait_for(names)
        return names

    def zephyr_like(self, endpoint: str, restart_at: float | None = None) -> str:
        """The name of a registered one."""
        device = ZephyrLike(self._system.coap_port, endpoint, restart_at=restart_at)
        self.zephyrs.append(self._stack.enter_context(device.running()))
        self._wait_for([endpoint])
        return endpoint

    def digests(self) -> set[str]:
        """SHA-256 of what the devices had, of each download that was whole."""
        simulated = {line["sha256"] for fleet in self.fleets for line in fleet.firmware() if line["result"] <= 1}
        return simulated | {digest for device in self.zephyrs for digest in device.firmware.digests}

    def kill(self, victim: str) -> None:
        """A service of the system; and wait until another process is in its place."""
        killed = self._system.process_number(victim)
        os.kill(killed, signal.SIGKILL)
        blocking_until(lambda: self._system.process_number(victim) != killed, 30, f"a new {victim}")

    def _wait_for(self, names: list[str]) -> None:
        url, query = self._system.connection.database_url, "select count(*) from endpoint where name = any(%s)"
        blocking_until(lambda: rows(url, query, names)[0][0] == len(names), 30, f"{names} registered")


def is_over(update: FirmwareUpdate) -> bool:
    return not update.is_open


def all_succeed(updates: FirmwareUpdates, ids: list[str], image: Uploaded) -> None:
    """Wait for the end of all, each with the version and the result of the image."""
    updates.wait_for(ids, is_over, PATIENCE_S, "the end of the updates")
    for update in updates.stand(*ids):
        ended = (update.status, update.state, update.result, update.version_after, update.transferred)
        assert ended == (UpdateStatus.SUCCEEDED, 0, 1, image.version, image.size), told(update)


def test_a_megabyte_by_each_way_to_each_kind_of_device(
    updates: FirmwareUpdates, image: Uploaded, devices: Devices
) -> None:
    names = devices.simulated("each", len(WAYS))
    ids = [updates.ask(name, image, *way) for name, way in zip(names, WAYS, strict=True)]
    ids += [updates.ask(devices.zephyr_like(f"zephyr-{way[0]}"), image, *way) for way in ZEPHYR_WAYS]
    all_succeed(updates, ids, image)
    assert devices.digests() == {image.sha256}
    assert [update.installs for update in updates.stand(*ids)] == [1] * len(ids)


def test_devices_that_restart_at_any_point_end_with_the_new_version(
    updates: FirmwareUpdates, image: Uploaded, devices: Devices
) -> None:
    ids = []
    for percent in (0, 50, 99):
        names = devices.simulated(f"restart-{percent}", len(WAYS), f"--firmware-restart-at={percent}")
        ids += [updates.ask(name, image, *way) for name, way in zip(names, WAYS, strict=True)]
        for way in ZEPHYR_WAYS:
            endpoint = devices.zephyr_like(f"zephyr-{way[0]}-{percent}", percent)
            ids.append(updates.ask(endpoint, image, *way))
    all_succeed(updates, ids, image)
    assert devices.digests() == {image.sha256}


@pytest.mark.parametrize("victim", ["gateway", "operations"])
@pytest.mark.parametrize("percent", [0, 50, 99])
def test_whoever_is_killed_at_any_point_the_updates_end_well(
    updates: FirmwareUpdates, image: Uploaded, devices: Devices, victim: str, percent: int
) -> None:
    """While an image is on its way by each of the ways."""
    names = devices.simulated(f"{victim}-{percent}", len(WAYS), f"--firmware-rate={RATE}")
    ids = [updates.ask(name, image, *way) for name, way in zip(names, WAYS, strict=True)]

    def has_come_so_far(update: FirmwareUpdate) -> bool:
        return update.way is not None and 100 * update.transferred >= percent * update.size

    # Pulls side by side, then the push, which is slower.
    for one in (ids[:2], ids[2:]):
        updates.wait_for(
            one, lambda update: is_over(update) or has_come_so_far(update), PATIENCE_S, f"{percent} percent"
        )
        devices.kill(victim)
    all_succeed(updates, ids, image)
    assert devices.digests() == {image.sha256}
    assert [update.installs for update in updates.stand(*ids)] == [1] * len(ids)


def test_an_api_killed_at_99_percent_of_a_download_by_http_serves_the_rest_when_it_is_back(
    system: RunningSystem, held: HeldImages, image: Uploaded, devices: Devices
) -> None:
    (name,) = devices.simulated("api-99", 1)
    held.hold(image.id, 99)
    with system.api() as api:
        asked = {"firmware": image.id, "method": "pull", "scheme": "http"}
        answer = api.post(f"/api/v1/endpoints/{name}/firmware-updates", json=asked)
        assert answer.status_code == 202, answer.text
        blocking_until(lambda: held.holds(image.id), PATIENCE_S, "99 percent of the download")
        killed = system.process_number("api")
        os.kill(killed, signal.SIGKILL)
        held.go_on([image.id], lost=True)
        blocking_until(lambda: system.process_number("api") != killed, 30, "a new api")

        def ended() -> dict[str, Any] | None:
            with suppress(httpx.TransportError):
                found = api.get(f"/api/v1/firmware-updates/{answer.json()['id']}")
                if found.status_code == 200 and found.json()["finished_at"] is not None:
                    return dict(found.json())
            return None

        update = blocking_until(ended, PATIENCE_S, "the end of the update")
    assert update is not None
    ends = [update[field] for field in ("status", "state", "result", "version_after", "retries", "installs")]
    assert ends == ["SUCCEEDED", 0, 1, image.version, 0, 1], update
    assert devices.digests() == {image.sha256}


ENDS = {
    "install-fails": (UpdateStatus.FAILED, 8, "1.0.0"),
    "unsupported": (UpdateStatus.FAILED, 6, "1.0.0"),
    "false-success": (UpdateStatus.FAILED, 1, "1.0.0"),
    "no-register": (UpdateStatus.SUCCEEDED, 1, "2.0.0"),
    "late-report": (UpdateStatus.SUCCEEDED, 1, "2.0.0"),
}


def test_each_fault_of_a_device_ends_as_it_should(updates: FirmwareUpdates, image: Uploaded, devices: Devices) -> None:
    ids = {}
    for fault in ENDS:
        (name,) = devices.simulated(fault, 1, f"--firmware-fault={fault}")
        ids[fault] = updates.ask(name, image, Method.PULL, Scheme.HTTP)
    updates.wait_for(ids.values(), is_over, PATIENCE_S, "the end of the updates")
    for fault, one in ids.items():
        (update,) = updates.stand(one)
        assert (update.status, update.result, update.version_after) == ENDS[fault], told(update)


def test_a_device_that_sleeps_is_updated_when_it_is_heard_and_counts_as_awake_while_it_fetches(
    updates: FirmwareUpdates, image: Uploaded, devices: Devices
) -> None:
    """It listens for three seconds, and fetches for ten."""
    options = ("--queue-mode", "--awake-window=3", "--lifetime=60", f"--firmware-rate={RATE}")
    (name,) = devices.simulated("sleeper", 1, *options)
    one = updates.ask(name, image, Method.PULL, Scheme.COAP)
    all_succeed(updates, [one], image)
    assert devices.digests() == {image.sha256}
