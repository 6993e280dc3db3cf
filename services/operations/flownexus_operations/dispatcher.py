"""What is done about each endpoint's queue: send what is next, end what is over, take over what a dead replica left."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_operations import metrics
from flownexus_operations.agenda import Agenda
from flownexus_operations.attempts import Attempts
from flownexus_operations.gateways import MARGIN_S, is_any_there
from flownexus_operations.listening import Listeners
from flownexus_operations.pauses import Pauses
from flownexus_operations.places import PlacesByPace
from flownexus_operations.queues import EndpointQueue, Queued, Queues, is_over
from flownexus_operations.replicas import Replicas
from flownexus_operations.transitions import Overtaken, Transitions
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.operations.lifecycle import (
    Dispatched,
    Expired,
    Happening,
    NotSent,
    after_answer,
    after_silence,
)
from flownexus_schemas.operations.messages import KeptAnswer
from flownexus_schemas.operations.operation import OperationStatus

log = structlog.get_logger(__name__)

TAKE_OVER_GRACE_S = 5.0
"""After the end of an attempt: clocks of two machines differ, and its own sender comes first."""

OVERTAKEN_S = 5.0
"""What overtook a transition comes from the stream within this, unless it was removed from there."""

RETRY_S = 1.0
_TICK_S = 0.25

Step = Callable[[], Awaitable[object]]


class Dispatcher:
    """One task an endpoint that has something to do; `look` wakes it, `tick` when time alone changes something."""

    def __init__(
        self,
        *,
        client: Client,
        js: JetStreamContext,
        queues: Queues,
        listeners: Listeners,
        replicas: Replicas,
        transitions: Transitions,
        in_flight: int,
    ) -> None:
        self._client, self._queues, self._listeners = client, queues, listeners
        self._replicas, self._transitions = replicas, transitions
        self._pauses, self._places = Pauses(), PlacesByPace(in_flight)
        self._attempts = Attempts(client, js, listeners, self._pauses)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._overtaken: dict[str, tuple[int, float]] = {}
        self._agenda = Agenda()
        self.is_ready = False

    def look(self, endpoint: str) -> None:
        """Something of the endpoint changed."""
        if not self.is_ready or self._queues.of(endpoint) is None:
            return
        if endpoint in self._tasks:
            self._again.add(endpoint)
            return
        if not self._replicas.is_ours(endpoint):
            return
        task = asyncio.create_task(self._care_for(endpoint))
        self._tasks[endpoint] = task
        task.add_done_callback(partial(self._done, endpoint))

    def look_at_all(self) -> None:
        """At the start, and when a replica came or went."""
        for endpoint in self._queues:
            self.look(endpoint)

    def kept(self, queued: Queued, answer: KeptAnswer) -> None:
        """A gateway kept the device's answer to an attempt: the one under way, or one that is over."""
        if not self._attempts.kept(answer):
            self.look(queued.operation.endpoint)

    async def run(self) -> None:
        """Look again at endpoints whose time has come, for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            for endpoint in self._agenda.due(time.time()):
                self.look(endpoint)
            metrics.OPEN.set(len(self._queues))
            metrics.IN_FLIGHT.set(len(self._attempts))

    async def stop(self, timeout_s: float) -> None:
        """Begin nothing more; wait for what is under way, at most `timeout_s`. Others take over the rest."""
        self.is_ready = False
        tasks = list(self._tasks.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=timeout_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _care_for(self, endpoint: str) -> None:
        while self.is_ready:
            self._again.discard(endpoint)
            queue = self._queues.of(endpoint)
            step = None if queue is None else self._next_step(endpoint, queue)
            if queue is None or step is None:
                if endpoint not in self._again:
                    self._note_expiry(endpoint, queue)
                    return
                continue
            before = queue.last_sequence
            try:
                await step()
                self._overtaken.pop(endpoint, None)
            except Overtaken:
                # What overtook it is taken from the stream, and looked at then, unless it was already.
                if queue.last_sequence == before and endpoint not in self._again:
                    await self._wait_for_what_overtook(endpoint, before)
                    return
            except Unavailable as error:
                log.warning("operation.postponed", endpoint=endpoint, reason=str(error))
                self._agenda.at(time.time() + RETRY_S, endpoint)
                return

    def _note_expiry(self, endpoint: str, queue: EndpointQueue | None) -> None:
        expiry = None if queue is None else queue.next_expiry
        if expiry is not None:
            self._agenda.at(expiry.timestamp(), endpoint)

    async def _wait_for_what_overtook(self, endpoint: str, last_sequence: int) -> None:
        """Where nothing comes, what a transition rests on may be in the stream no more: it is read again."""
        now = time.time()
        since = self._overtaken.get(endpoint)
        if since is None or since[0] != last_sequence:
            self._overtaken[endpoint] = since = last_sequence, now
        if now - since[1] >= OVERTAKEN_S:
            del self._overtaken[endpoint]
            await self._transitions.read_again(endpoint)
            now -= OVERTAKEN_S
        self._agenda.at(now + OVERTAKEN_S, endpoint)

    def _next_step(self, endpoint: str, queue: EndpointQueue) -> Step | None:
        now = datetime.now(UTC)
        for queued in queue.operations.values():
            operation = queued.operation
            if operation.status is OperationStatus.QUEUED and queued.answer is not None:
                return partial(self._transitions.append, queued, after_answer(queued.answer.answer), now)
            if operation.status is OperationStatus.QUEUED and is_over(operation, now):
                return partial(self._transitions.append, queued, Expired(), now)
            if operation.status is OperationStatus.SENDING:
                return self._left_behind(queued, now)
        queued_next = queue.next(now)
        if queued_next is None:
            return None
        way = self._listeners.way_to(endpoint, now.timestamp(), queued_next.asked_in_vain_at)
        if way is None:
            return None
        if (until := self._pauses.until(way.gateway, now.timestamp())) is not None:
            self._agenda.at(until, endpoint)
            return None
        if self._pauses.is_away(way.gateway):
            return partial(self._look_for, way.gateway)
        return partial(self._send, queued_next, asleep=way.asleep_s is not None)

    def _left_behind(self, queued: Queued, now: datetime) -> Step | None:
        """What to do about an attempt that no task of ours is at."""
        operation = queued.operation
        attempt = operation.attempt
        if attempt is None:
            return None
        if attempt.sender == self._replicas.own:
            happening: Happening = (
                after_silence(operation, f"{attempt.sender} failed")
                if self._attempts.was_begun(operation.id)
                # Its append was not known to be kept, so it was not sent.
                else NotSent("the bus was away")
            )
            return partial(self._settle, queued, happening)
        if queued.answer is not None and not self._replicas.is_alive(attempt.sender):
            return partial(self._transitions.append, queued, after_answer(queued.answer.answer), now)
        over = attempt.ends_at + timedelta(seconds=TAKE_OVER_GRACE_S)
        if now < over:
            self._agenda.at(over.timestamp(), operation.endpoint)
            return None
        happening = (
            after_silence(operation, f"{attempt.sender} went away before the device's answer")
            if queued.answer is None
            else after_answer(queued.answer.answer)
        )
        return partial(self._transitions.append, queued, happening, now)

    async def _look_for(self, gateway: str) -> None:
        """Whether a gateway that was away is back, or another one there: an attempt is two messages of the stream."""
        self._pauses.failed(gateway, time.time())
        if await is_any_there(self._client, (gateway, *self._listeners.gateways() - {gateway})):
            self._pauses.worked(gateway)
            self.look_at_all()

    async def _send(self, queued: Queued, *, asleep: bool) -> None:
        operation = queued.operation
        async with self._places.of(operation.endpoint, asleep=asleep).one():
            now = datetime.now(UTC)
            way = self._listeners.way_to(operation.endpoint, now.timestamp(), queued.asked_in_vain_at)
            if way is None or is_over(operation, now):
                return
            timeout_s = max(operation.command.timeout_s, way.asleep_s or 0.0)
            ends_at = now + timedelta(seconds=timeout_s + operation.command.goes_on_s + MARGIN_S)
            dispatched = Dispatched(self._replicas.own, way.gateway, ends_at, asleep_s=way.asleep_s)
            operation = await self._transitions.append(queued, dispatched, now)
            happening = await self._attempts.outcome(operation, way, timeout_s)
        seconds = (datetime.now(UTC) - now).total_seconds()
        self._places.took(operation.endpoint, seconds)
        metrics.ATTEMPT_SECONDS.observe(seconds)
        await self._settle(queued, happening)
        log.info(
            "operation.attempted",
            endpoint=operation.endpoint,
            operation=operation.id,
            attempt=operation.attempts,
            happening=type(happening).__name__,
        )

    async def _settle(self, queued: Queued, happening: Happening) -> None:
        """Keep the outcome, however long the bus is away: it is known only here. Raises Overtaken where another replica
        ended the attempt.
        """
        operation, refused = queued.operation, 0
        try:
            while True:
                try:
                    await self._transitions.append(queued, happening, datetime.now(UTC))
                    return
                except Unavailable as error:
                    log.warning("operation.outcome_waits", endpoint=operation.endpoint, reason=str(error))
                except Overtaken:
                    refused += 1
                await asyncio.sleep(RETRY_S)
                if refused * RETRY_S >= OVERTAKEN_S:
                    with suppress(Unavailable):
                        await self._transitions.read_again(operation.endpoint)
                if self._queues.find(operation.endpoint, operation.id) is not queued or queued.operation != operation:
                    raise Overtaken
        finally:
            self._attempts.settled(operation.id)

    def _done(self, endpoint: str, task: asyncio.Task[None]) -> None:
        del self._tasks[endpoint]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("operation.failed_to_care", endpoint=endpoint, exc_info=error)
            self._agenda.at(time.time() + RETRY_S, endpoint)
        elif endpoint in self._again:
            self.look(endpoint)
