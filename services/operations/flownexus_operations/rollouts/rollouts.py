"""Every open rollout: those that are ours are cared for, one task each; another replica's are left to it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import NamedTuple

import structlog
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.errors import Error as JetStreamError

from flownexus_operations import metrics
from flownexus_operations.listening import Listeners
from flownexus_operations.replicas import Replicas
from flownexus_operations.rollouts.care import Care
from flownexus_runtime.stream_message import Message
from flownexus_runtime.stream_reader import ReaderLost
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.firmware.update import FirmwareUpdate
from flownexus_schemas.rollouts.messages import RolloutChanged, parse_rollout_event
from flownexus_schemas.rollouts.rollout import Rollout

log = structlog.get_logger(__name__)

RETRY_S = 1.0

_AWAY = (NatsError, JetStreamError, OSError, TimeoutError, ReaderLost, Unavailable)


class Kept(NamedTuple):
    """What the stream has last of an open rollout, and the sequence of that."""

    rollout: Rollout
    sequence: int


class Rollouts:
    """The owner tells it what comes, in the order of the stream; `look_at_all` where replicas came or went."""

    def __init__(
        self, *, client: Client, js: JetStreamContext, listeners: Listeners, replicas: Replicas, source: str
    ) -> None:
        self._client, self._js, self._listeners = client, js, listeners
        self._replicas, self._source = replicas, source
        self._open: dict[str, Kept] = {}
        self._cares: dict[str, Care] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_ready = self._is_stopped = False

    def caught_up(self) -> None:
        """All that is open is known."""
        if not self._is_ready and not self._is_stopped:
            self._is_ready = True
            self.look_at_all()

    def clear(self) -> None:
        """The stream is another."""
        self._open.clear()
        self.look_at_all()
        self._is_ready = False

    def sequences(self) -> Iterator[int]:
        """Of the messages that say what is open."""
        return (kept.sequence for kept in self._open.values())

    def take(self, message: Message) -> None:
        """How a rollout stands, as a message has it; an older one changes nothing. Raises InvalidMessage."""
        event = parse_rollout_event(message.payload)
        if not isinstance(event, RolloutChanged):
            return
        rollout, known = event.data, self._open.get(event.data.id)
        if known is not None and message.sequence <= known.sequence:
            return
        if rollout.is_open:
            self._open[rollout.id] = Kept(rollout, message.sequence)
            self._look(rollout.id)
        elif known is not None:
            del self._open[rollout.id]
            self.look_at_all()

    def take_update(self, update: FirmwareUpdate, sequence: int) -> None:
        """A firmware update, as a message has it; before a rollout is cared for, its updates are looked up."""
        for rollout_id, care in self._cares.items():
            if update.rollout == rollout_id:
                care.take_update(update, sequence)
            elif not update.is_open:
                care.free(update.endpoint)

    def look_at_all(self) -> None:
        """Take over what is ours now, and leave what is another's."""
        if not self._is_ready:
            return
        for rollout_id in self._tasks.keys() - self._open.keys():
            self._tasks[rollout_id].cancel()
        for rollout_id in self._open:
            self._look(rollout_id)

    async def stop(self) -> None:
        """Begin nothing more; others take over."""
        self._is_ready, self._is_stopped = False, True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _look(self, rollout_id: str) -> None:
        is_ours = self._replicas.is_ours(rollout_id)
        task = self._tasks.get(rollout_id)
        if is_ours and task is None and self._is_ready:
            task = self._tasks[rollout_id] = asyncio.create_task(self._care_for(rollout_id))
            task.add_done_callback(lambda done: self._done(rollout_id, done))
        elif not is_ours and task is not None:
            task.cancel()
        metrics.ROLLOUTS.set(len(self._tasks))

    async def _care_for(self, rollout_id: str) -> None:
        while (kept := self._open.get(rollout_id)) is not None:
            care = self._cares[rollout_id] = Care(
                kept.rollout, client=self._client, js=self._js, listeners=self._listeners, source=self._source
            )
            try:
                await care.run()
            except* _AWAY as group:
                log.warning("rollout.waiting", rollout=rollout_id, reason=repr(group.exceptions[0])[:300])
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _done(self, rollout_id: str, task: asyncio.Task[None]) -> None:
        self._tasks.pop(rollout_id, None)
        self._cares.pop(rollout_id, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("rollout.failed_to_care", rollout=rollout_id, exc_info=error)
        if self._is_ready and rollout_id in self._open:
            asyncio.get_running_loop().call_later(RETRY_S, self.look_at_all)
        metrics.ROLLOUTS.set(len(self._tasks))
