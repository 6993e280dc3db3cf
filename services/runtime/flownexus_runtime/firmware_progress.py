"""How far downloads of firmware are, told to whoever follows the updates: about once a second each."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from nats.errors import Error as NatsError

from flownexus_schemas import subjects
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.firmware.progress import FirmwareProgress, Via

INTERVAL_S = 1.0
MAX_DOWNLOADS = 10_000
"""Of which is remembered when they were told last."""

Publish = Callable[[str, bytes], Awaitable[object]]


class FirmwareDownloadProgress:
    """Of one process. What cannot be told is not: the next part of the download tells it."""

    def __init__(self, publish: Publish) -> None:
        self._publish = publish
        self._told: OrderedDict[str, float] = OrderedDict()

    async def served(self, update_id: str, upto: int, size: int, via: Via, now: float) -> None:
        """A device was given bytes up to `upto` of `size`. `now` in seconds of any clock. Raises InvalidName."""
        told_at = self._told.get(update_id)
        if upto < size and told_at is not None and now - told_at < INTERVAL_S:
            return
        self._told[update_id] = now
        self._told.move_to_end(update_id)
        if len(self._told) > MAX_DOWNLOADS:
            self._told.popitem(last=False)
        told = FirmwareProgress(update_id=update_id, bytes_served_upto=upto, size=size, via=via)
        with contextlib.suppress(NatsError, Unavailable):
            await self._publish(subjects.firmware_progress(update_id), told.model_dump_json().encode())
