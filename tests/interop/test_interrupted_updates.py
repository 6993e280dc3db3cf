"""A megabyte by each way to clients of Leshan and with the habits of Zephyr's, interrupted at 0, 50 and 99 percent."""

from __future__ import annotations

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest
from nats.js import JetStreamContext

from conftest import ServiceFactory
from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_schemas.firmware.update import FirmwareUpdate, Method, Scheme, UpdateStatus
from flownexus_simulator.image import make
from harness.embedded import RunningNats
from harness.firmware_updates import FirmwareUpdates, Uploaded, told
from harness.held_images import HeldImages
from harness.ports import free_port
from harness.services import ServiceProcess
from harness.zephyr_like import ZephyrLike
from interop.leshan_device import FIRMWARE, LeshanDevice, build, running_firmware_device

pytestmark = pytest.mark.timeout(400)

IMAGE = make("thermometer", "2.0.0", 1_000_000)
UPLOADED = Uploaded("9f3c5d1e7a2b4c68", "2.0.0", len(IMAGE), hashlib.sha256(IMAGE).hexdigest())
PERCENTS = (0, 50, 99)
BY_COAP, BY_HTTP, PUSHED = (Method.PULL, Scheme.COAP), (Method.PULL, Scheme.HTTP), (Method.PUSH, Scheme.AUTO)
WAYS = {
    "leshan-coap": BY_COAP,
    "leshan-http": BY_HTTP,
    "leshan-push": PUSHED,
    "zephyr-coap": BY_COAP,
    "zephyr-push": PUSHED,
}
VICTIMS = {"device": list(WAYS), "gateway": list(WAYS), "operations": list(WAYS), "api": ["leshan-http"]}


class Leshan:
    """A device that can be switched off."""

    def __init__(self, class_path: str, port: int, name: str) -> None:
        self._class_path, self._port, self._name = class_path, port, name
        self._power = ExitStack()
        self._now: LeshanDevice | None = None
        self.switch_on()

    def switch_on(self) -> None:
        self._now = self._power.enter_context(running_firmware_device(self._class_path, self._port, self._name))

    def switch_off(self) -> None:
        self._power.close()

    def wait_registered(self) -> None:
        assert self._now is not None
        self._now.wait_for("registered")

    def digests(self) -> list[str]:
        """SHA-256 of what it had since it was switched on, where that was whole."""
        assert self._now is not None
        return [line.split()[2] for line in self._now.said if line.startswith("downloaded")]


class System:
    """The services that move images, and devices behind `held`."""

    def __init__(self, held: HeldImages, services: dict[str, ServiceProcess], nats_url: str, class_path: str) -> None:
        self.held, self.services, self._class_path = held, services, class_path
        self._updates = FirmwareUpdates(nats_url)
        self._leshans: dict[str, Leshan] = {}
        self._zephyrs: dict[str, ZephyrLike] = {}
        self._running = ExitStack()

    def close(self) -> None:
        for leshan in self._leshans.values():
            leshan.switch_off()
        self._running.close()

    def start(self, names: Sequence[str]) -> list[str]:
        """Devices of these names, and their updates; the ids of these."""
        for name in names:
            self.held.hold(name, *PERCENTS)
            if name.startswith("leshan"):
                self._leshans[name] = Leshan(self._class_path, self.held.coap_port, name)
            else:
                self._zephyrs[name] = self._running.enter_context(ZephyrLike(self.held.coap_port, name).running())
        for leshan in self._leshans.values():
            leshan.wait_registered()
        return [self._updates.ask(name, UPLOADED, *WAYS[name]) for name in names]

    def interrupt(self, victim: str, names: Sequence[str], ids: Sequence[str]) -> None:
        """Kill it while the image of each stands still, let them go on at once, start it again."""
        self._updates.wait_for(ids, lambda update: self.held.holds(update.endpoint), 90, "the images stand still")
        if victim != "device":
            self.services[victim].kill()
            self.held.go_on(names, lost=victim == "api")
            self.services[victim].start()
            return
        for leshan in self._leshans.values():
            leshan.switch_off()
        for zephyr in self._zephyrs.values():
            zephyr.restart()
        self.held.go_on(names, lost=True)
        for leshan in self._leshans.values():
            leshan.switch_on()

    def end(self, ids: Sequence[str]) -> list[FirmwareUpdate]:
        """How the updates ended."""
        self._updates.wait_for(ids, lambda update: not update.is_open, 150, "the end of the updates")
        return self._updates.stand(*ids)

    def digests(self) -> list[list[str]]:
        """What each device had."""
        zephyrs = [zephyr.firmware.digests for zephyr in self._zephyrs.values()]
        return [*(leshan.digests() for leshan in self._leshans.values()), *zephyrs]


@pytest.fixture(scope="module")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The device of Leshan's library, compiled."""
    return build(tmp_path_factory.mktemp("leshan"), FIRMWARE)


@pytest.fixture
async def system(
    js: JetStreamContext, nats_server: RunningNats, service: ServiceFactory, class_path: str
) -> AsyncIterator[System]:
    await FirmwareImages(lambda: js).put(UPLOADED.id, io.BytesIO(IMAGE))
    held, coap_port = HeldImages(len(IMAGE)), free_port("udp")
    links: dict[str, Any] = {"FLOWNEXUS_FIRMWARE_COAP_URL": held.coap_url, "FLOWNEXUS_FIRMWARE_HTTP_URL": held.http_url}
    services = {
        "api": service("flownexus_api"),
        "gateway": service("flownexus_gateway", FLOWNEXUS_COAP_PORT=coap_port, **links),
        "operations": service("flownexus_operations", FLOWNEXUS_FIRMWARE_RETRY_WAIT_S=1),
    }
    with held.open(coap_port, int(services["api"].env["FLOWNEXUS_API_PORT"])):
        running = System(held, services, nats_server.url, class_path)
        try:
            yield running
        finally:
            running.close()


@pytest.mark.parametrize("victim", VICTIMS)
async def test_it_arrives_whoever_is_killed_at_0_50_and_99_percent(system: System, victim: str) -> None:
    """A device is switched off and on again, and begins anew; of the services each is killed and started again."""
    names = VICTIMS[victim]
    ids = await asyncio.to_thread(system.start, names)
    for _ in PERCENTS:
        await asyncio.to_thread(system.interrupt, victim, names, ids)
    for update in await asyncio.to_thread(system.end, ids):
        ended = (update.status, update.state, update.result, update.version_after, update.installs)
        assert ended == (UpdateStatus.SUCCEEDED, 0, 1, "2.0.0", 1), told(update)
    assert system.digests() == [[UPLOADED.sha256]] * len(names)
