"""Firmware updates of Leshan's client library on the whole system, a megabyte by each way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from flownexus_schemas.firmware.update import Method, Scheme, UpdateStatus
from flownexus_simulator.image import make
from harness.embedded import open_folder
from harness.firmware_updates import FirmwareUpdates, told, upload
from harness.system import RunningSystem
from interop.leshan_device import FIRMWARE, build, running_firmware_device

pytestmark = pytest.mark.timeout(600)

IMAGE = make("thermometer", "2.0.0", 1_000_000)
WAYS = {
    "leshan-coap": (Method.PULL, Scheme.COAP),
    "leshan-http": (Method.PULL, Scheme.HTTP),
    "leshan-push": (Method.PUSH, Scheme.AUTO),
}


@pytest.fixture
def system() -> Iterator[RunningSystem]:
    with open_folder() as folder:
        running = RunningSystem(folder)
        try:
            running.start()
            yield running
        finally:
            running.erase()


def test_it_is_updated_by_each_way(system: RunningSystem, tmp_path_factory: pytest.TempPathFactory) -> None:
    class_path = build(tmp_path_factory.mktemp("leshan"), FIRMWARE)
    updates = FirmwareUpdates(system.connection.nats_url)
    with system.api() as api:
        image = upload(api, IMAGE, "2.0.0")
    with ExitStack() as stack:
        devices = {
            name: stack.enter_context(running_firmware_device(class_path, system.coap_port, name)) for name in WAYS
        }
        for device in devices.values():
            device.wait_for("registered")
        ids = [updates.ask(name, image, *way) for name, way in WAYS.items()]
        updates.wait_for(ids, lambda update: not update.is_open, 300, "the end of the updates")
        for update in updates.stand(*ids):
            ended = (update.status, update.result, update.version_after, update.installs)
            assert ended == (UpdateStatus.SUCCEEDED, 1, "2.0.0", 1), told(update)
        whole = f"downloaded {image.size} {image.sha256}"
        assert [line for device in devices.values() for line in device.said if line.startswith("downloaded")] == [
            whole
        ] * len(WAYS)
