"""The updates of a rollout's devices that are under way, as the stream has them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from nats.js import JetStreamContext

from flownexus_runtime.firmware_updates import load_update
from flownexus_schemas.errors import NotFound
from flownexus_schemas.firmware.update import FirmwareUpdate
from flownexus_schemas.rollouts.device import RolloutDevice

AT_A_TIME = 50


class KnownUpdates:
    """By id, None where there surely is none. What is not asked about is forgotten."""

    def __init__(self, js: JetStreamContext) -> None:
        self._js = js
        self._sequences: dict[str, int] = {}
        self.by_id: dict[str, FirmwareUpdate | None] = {}

    def forget(self, update_id: str) -> None:
        """What is known of it is not how it stands any more."""
        self.by_id.pop(update_id, None)
        self._sequences.pop(update_id, None)

    def take(self, update: FirmwareUpdate, sequence: int) -> bool:
        """An update as a message has it; whether its status is another one by that."""
        if sequence <= self._sequences.get(update.id, 0):
            return False
        before = self.by_id.get(update.id)
        self.by_id[update.id], self._sequences[update.id] = update, sequence
        return before is None or before.status is not update.status

    async def know(self, devices: Iterable[RolloutDevice]) -> None:
        """Have the updates of these devices, which are under way, and no others. Raises Unavailable."""
        wanted = {device.update: device for device in devices if device.update is not None}
        for known in self.by_id.keys() - wanted.keys():
            self.forget(known)
        at_a_time = asyncio.Semaphore(AT_A_TIME)

        async def load(device: RolloutDevice) -> None:
            assert device.update is not None
            async with at_a_time:
                try:
                    update, sequence = await load_update(self._js, device.update, device.endpoint)
                except NotFound:
                    self.by_id.setdefault(device.update, None)
                else:
                    self.take(update, sequence)

        missing = [device for name, device in wanted.items() if name not in self.by_id]
        await asyncio.gather(*map(load, missing))
