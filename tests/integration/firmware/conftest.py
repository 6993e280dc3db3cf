"""Gateway and operations over a real NATS server, a device that updates itself, and updates asked for on the stream."""

from __future__ import annotations

import hashlib
import io
import itertools
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from nats.js import JetStreamContext

from flownexus_runtime.firmware_images import FirmwareImages
from flownexus_runtime.firmware_updates import cancel_update, load_update, request_update
from flownexus_schemas import subjects
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.firmware.messages import FirmwareUpdateChanged, parse_firmware_event
from flownexus_schemas.firmware.update import FirmwareUpdate, UpdateStatus
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile
from flownexus_schemas.subjects import Bucket, Stream
from harness.firmware_device import FirmwareDevice
from harness.services import ServiceProcess
from harness.waiting import until

IMAGE = random.Random(7).randbytes(60_000)
IMAGE_ID = "0123456789abcdef"
FAST: dict[str, Any] = {
    "FLOWNEXUS_FIRMWARE_RETRY_WAIT_S": 0.2,
    "FLOWNEXUS_FIRMWARE_POLL_S": 2,
    "FLOWNEXUS_FIRMWARE_PROGRESS_S": 6,
    "FLOWNEXUS_FIRMWARE_INSTALL_S": 8,
    "FLOWNEXUS_FIRMWARE_GRACE_S": 2,
    "FLOWNEXUS_FIRMWARE_SLICE_S": 0.05,
}
_numbers = itertools.count(1)


class Updates:
    """Firmware updates on the stream."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js

    async def ask(self, endpoint: str = "device-1", **changes: Any) -> str:
        """Ask for one; its id."""
        fixed: dict[str, Any] = {
            "id": f"u{next(_numbers)}",
            "endpoint": endpoint,
            "firmware": IMAGE_ID,
            "name": "app",
            "version": "2.0",
            "size": len(IMAGE),
            "sha256": hashlib.sha256(IMAGE).hexdigest(),
            "requested_at": datetime.now(UTC),
        }
        return (await request_update(self._js, FirmwareUpdate(**(fixed | changes)), "/api")).id

    async def cancel(self, name: str) -> FirmwareUpdate:
        return await cancel_update(self._js, name, "admin", "/api")

    async def now(self, name: str) -> FirmwareUpdate:
        return (await load_update(self._js, name))[0]

    async def history(self, name: str) -> list[FirmwareUpdateChanged]:
        """Every event of an update so far."""
        info = await self._js.stream_info(Stream.OPERATIONS)
        found = []
        for sequence in range(1, info.state.last_seq + 1):
            message = await self._js.get_msg(Stream.OPERATIONS, sequence)
            subject = message.subject or ""
            if subjects.is_firmware(subject) and subjects.firmware_of_subject(subject)[1] == name:
                found.append(parse_firmware_event(message.data or b""))
        return found

    async def becomes(
        self, name: str, is_so: Callable[[FirmwareUpdate], bool], timeout_s: float = 40
    ) -> FirmwareUpdate:
        """The update once it is so."""

        async def there() -> FirmwareUpdate | None:
            try:
                update = await self.now(name)
            except Unavailable:
                return None  # NATS is being restarted
            assert update.is_open or is_so(update), update
            return update if is_so(update) else None

        return await until(there, timeout_s, f"that of {name}")

    async def reaches(self, name: str, status: UpdateStatus) -> FirmwareUpdate:
        return await self.becomes(name, lambda update: update.status is status)

    async def ends(self, name: str, timeout_s: float = 60) -> FirmwareUpdate:
        return await self.becomes(name, lambda update: not update.is_open, timeout_s)


@pytest.fixture
async def updates(js: JetStreamContext) -> Updates:
    """With the image in the object store."""
    await FirmwareImages(lambda: js).put(IMAGE_ID, io.BytesIO(IMAGE))
    return Updates(js)


@pytest.fixture
async def gateway(js: JetStreamContext, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    bucket = await js.key_value(Bucket.OBSERVATION_PROFILES)
    await bucket.put(DEFAULT_KEY, ObservationProfile(awake_window_s=3).model_dump_json().encode())
    return service("flownexus_gateway")


@pytest.fixture
def operations(gateway: ServiceProcess, service: Callable[..., ServiceProcess]) -> ServiceProcess:
    return service("flownexus_operations", **FAST)


@pytest.fixture
def new_device(gateway: ServiceProcess) -> Iterator[Callable[..., FirmwareDevice]]:
    """Devices that are registered and serve; `prepare` is called before."""
    made: list[FirmwareDevice] = []

    def make(endpoint: str = "device-1", **changes: Any) -> FirmwareDevice:
        made.append(FirmwareDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), endpoint, **changes))
        return made[-1].start()

    yield make
    for one in made:
        one.close()
