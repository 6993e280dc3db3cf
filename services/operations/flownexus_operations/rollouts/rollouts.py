"""Every open rollout: those that are ours are cared for, one task each; another replica's are left to it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

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
from flownexus_runtime.stream_reader import ReaderLost, StreamReader
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, Unavailable
from flownexus_schemas.firmware.messages import parse_firmware_event
from flownexus_schemas.rollouts.messages import RolloutChanged, parse_rollout_event
from flownexus_schemas.rollouts.rollout import Rollout
from flownexus_schemas.subjects import Stream

log = structlog.get_logger(__name__)

BATCH = 1000
RETRY_S = 1.0

_AWAY = (NatsError, JetStreamError, OSError, TimeoutError, ReaderLost, Unavailable)


class Rollouts:
    """`run` follows them all until cancelled; `look_at_all` where replicas came or went; `stop` before the end."""

    def __init__(
        self, *, client: Client, js: JetStreamContext, listeners: Listeners, replicas: Replicas, source: str
    ) -> None:
        self._client, self._js, self._listeners = client, js, listeners
        self._replicas, self._source = replicas, source
        self._open: dict[str, Rollout] = {}
        self._cares: dict[str, Care] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._is_ready = False
        self._position: int | None = None

    async def run(self) -> None:
        """Work; what is away is waited for."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._for_ever(self._follow_rollouts))
            tasks.create_task(self._for_ever(self._follow_updates))

    def look_at_all(self) -> None:
        """Take over what is ours now, and leave what is another's."""
        if not self._is_ready:
            return
        for rollout_id in self._tasks.keys() - self._open.keys():
            self._tasks[rollout_id].cancel()
        for rollout_id in self._open:
            self._look(rollout_id)

    async def stop(self) -> None:
        """Begin nothing more."""
        self._is_ready = False
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
        while (rollout := self._open.get(rollout_id)) is not None:
            care = self._cares[rollout_id] = Care(
                rollout, client=self._client, js=self._js, listeners=self._listeners, source=self._source
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

    async def _for_ever(self, follow: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                await follow()
            except _AWAY as error:
                log.warning("rollouts.waiting", reason=type(error).__name__, error=str(error)[:300])
            except Exception as error:
                log.error("rollouts.failed_to_follow", exc_info=error)
            await asyncio.sleep(RETRY_S)

    async def _follow_rollouts(self) -> None:
        """From the last message of each on: those that are open when all is read, and then as they come and go."""
        reader = StreamReader(
            self._client,
            self._js,
            Stream.OPERATIONS,
            after=None,
            size=BATCH,
            subjects=(subjects.ROLLOUT_STATES,),
        )
        found: dict[str, Rollout] = {}
        async with reader:
            if reader.pending_at_start == 0:
                self._know(found)
            while True:
                for message in await reader.batch():
                    rollout = _rollout(message)
                    if rollout is not None:
                        found.pop(rollout.id, None)
                        if rollout.is_open:
                            found[rollout.id] = rollout
                    if message.pending == 0:
                        self._know(found)

    def _know(self, found: dict[str, Rollout]) -> None:
        self._open = dict(found)
        self._is_ready = True
        self.look_at_all()

    async def _follow_updates(self) -> None:
        """Those of the rollouts that are ours, from now on: what they are until then is looked up."""
        last = (await self._js.stream_info(Stream.OPERATIONS)).state.last_seq
        after = last if self._position is None else min(self._position, last)
        reader = StreamReader(
            self._client,
            self._js,
            Stream.OPERATIONS,
            after=after,
            size=BATCH,
            subjects=(subjects.FIRMWARE_UPDATES,),
        )
        async with reader:
            self._position = after
            while True:
                for message in await reader.batch():
                    self._take_update(message)
                    self._position = message.sequence

    def _take_update(self, message: Message) -> None:
        try:
            update = parse_firmware_event(message.payload).data
        except InvalidMessage:
            return  # whoever carries updates out says so
        for rollout_id, care in self._cares.items():
            if update.rollout == rollout_id:
                care.take_update(update, message.sequence)
            elif not update.is_open:
                care.free(update.endpoint)


def _rollout(message: Message) -> Rollout | None:
    try:
        event = parse_rollout_event(message.payload)
    except InvalidMessage as error:
        log.error("rollout.unreadable", subject=message.subject, sequence=message.sequence, error=str(error))
        return None
    return event.data if isinstance(event, RolloutChanged) else None
