"""Firmware updates of a running system, asked for and followed on its bus."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import httpx
import nats
from nats.js import JetStreamContext

from flownexus_runtime.firmware_updates import load_update, request_update
from flownexus_schemas.firmware.update import FirmwareUpdate, Method, Scheme
from harness.waiting import blocking_until

T = TypeVar("T")


class Uploaded(NamedTuple):
    """An image that the system has."""

    id: str
    version: str
    size: int
    sha256: str


def upload(api: httpx.Client, image: bytes, version: str, name: str = "thermometer") -> Uploaded:
    """Upload an image as an operator does."""
    query = {"name": name, "version": version, "file_name": "fw.bin"}
    made = api.post("/api/v1/firmware", params=query, content=image).raise_for_status().json()
    digest = hashlib.sha256(image).hexdigest()
    assert made["sha256"] == digest
    return Uploaded(made["id"], version, len(image), digest)


class FirmwareUpdates:
    """Of the system whose NATS this is."""

    def __init__(self, nats_url: str) -> None:
        self._nats_url = nats_url
        self._endpoints: dict[str, str] = {}

    def ask(self, endpoint: str, image: Uploaded, method: Method, scheme: Scheme = Scheme.AUTO) -> str:
        """Ask for an update; its id."""
        update = FirmwareUpdate(
            id=f"{endpoint}-{time.time_ns():x}",
            endpoint=endpoint,
            firmware=image.id,
            name="thermometer",
            version=image.version,
            size=image.size,
            sha256=image.sha256,
            requested_at=datetime.now(UTC),
            method=method,
            scheme=scheme,
        )
        self._run(lambda js: request_update(js, update, "/test"))
        self._endpoints[update.id] = endpoint
        return update.id

    def stand(self, *ids: str) -> list[FirmwareUpdate]:
        """How these stand now."""

        async def load(js: JetStreamContext) -> list[FirmwareUpdate]:
            return [(await load_update(js, one, self._endpoints[one]))[0] for one in ids]

        return self._run(load)

    def wait_for(
        self, ids: Iterable[str], what: Callable[[FirmwareUpdate], bool], timeout_s: float, words: str
    ) -> None:
        """Until each of these is so. AssertionError with how they stand."""
        stands: list[FirmwareUpdate] = []

        def so() -> bool:
            stands[:] = self.stand(*ids)
            return all(map(what, stands))

        try:
            blocking_until(so, timeout_s, words)
        except AssertionError as error:
            raise AssertionError(f"{error}\n" + "\n".join(map(told, stands))) from None

    def _run(self, ask: Callable[[JetStreamContext], Awaitable[T]]) -> T:
        async def connected() -> T:
            client = await nats.connect(self._nats_url)
            try:
                return await ask(client.jetstream())
            finally:
                await client.close()

        return asyncio.run(connected())


def told(update: FirmwareUpdate) -> str:
    """How an update stands, in a line."""
    return (
        f"{update.endpoint} {update.status} {update.way} state {update.state} result {update.result} "
        f"{update.transferred}/{update.size} retries {update.retries} installs {update.installs}: {update.last_action} "
        f"Waits for {update.waiting_for}."
    )
