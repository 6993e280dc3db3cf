"""Following a KV bucket: all that is in it, then every change, over reconnections."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError
from nats.js.kv import KV_DEL, KV_PURGE, KeyValue

log = structlog.get_logger(__name__)

_RETRY_S = 0.5
_POLL_S = 1.0

Apply = Callable[[str, bytes | None, int], None]
"""Key, value or None where it was deleted, revision."""


class Bucket:
    """One bucket, watched. `is_loaded` once its entries at the start were all applied."""

    def __init__(self, client: Client, js: JetStreamContext, name: str, apply: Apply) -> None:
        self._client, self._js, self._name, self._apply = client, js, name, apply
        self._loaded = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_loaded(self) -> bool:
        return self._loaded.is_set()

    def start(self) -> None:
        self._task = asyncio.create_task(self._follow())

    async def loaded(self) -> None:
        """Wait for the first time that all entries were applied."""
        await self._loaded.wait()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            try:
                await self._watch()
            except (NatsError, JetStreamError, TimeoutError) as error:
                log.warning("bucket.not_readable", bucket=self._name, error=repr(error))
            await asyncio.sleep(_RETRY_S)

    async def _watch(self) -> None:
        """Apply changes until the connection was lost: the watch does not outlive every restart of a server."""
        reconnects = self._client.stats["reconnects"]
        bucket = await self._js.key_value(self._name)
        watcher: Any = await bucket.watchall()
        try:
            while reconnects == self._client.stats["reconnects"] and self._client.is_connected:
                try:
                    entry = await watcher.updates(timeout=_POLL_S)
                except NatsTimeoutError:
                    continue
                if entry is None:
                    self._loaded.set()
                elif isinstance(entry, KeyValue.Entry):
                    gone = entry.operation in {KV_DEL, KV_PURGE}
                    self._apply(entry.key, None if gone else entry.value or b"", entry.revision or 0)
        finally:
            if self._client.is_connected:
                await watcher.stop()
