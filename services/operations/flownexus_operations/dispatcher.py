"""What is done about each endpoint's queue: send what is next, end what is over, take over what a dead replica left."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from nats.aio.client import Client

from flownexus_operations import metrics
from flownexus_operations.gateway_watch import GatewayWatch
from flownexus_operations.gateways import MARGIN_S, GatewayAway, ask, process_of
from flownexus_operations.listening import Listeners, Way
from flownexus_operations.pauses import Pauses
from flownexus_operations.queues import EndpointQueue, Queued, Queues, is_over
from flownexus_operations.replicas import Replicas
from flownexus_operations.transitions import Overtaken, Transitions
from flownexus_schemas.errors import Unavailable
from flownexus_schemas.operations.lifecycle import (
    Dispatched,
    Expired,
    GivenUp,
    Happening,
    NotSent,
    Unanswered,
    after_answer,
    after_silence,
)
from flownexus_schemas.operations.messages import KeptAnswer
from flownexus_schemas.operations.operation import Operation, OperationStatus

log = structlog.get_logger(__name__)

TAKE_OVER_GRACE_S = 5.0
"""After the end of an attempt: clocks of two machines differ, and its own sender comes first."""

KEPT_S = 2.0
"""What a gateway kept before it died is known here after this."""

RETRY_S = 1.0
_TICK_S = 0.25

Step = Callable[[], Awaitable[object]]


class Dispatcher:
    """One task an endpoint that has something to do; `look` wakes it, `tick` when time alone changes something."""

    def __init__(
        self,
        *,
        client: Client,
        queues: Queues,
        listeners: Listeners,
        replicas: Replicas,
        transitions: Transitions,
        in_flight: int,
    ) -> None:
        self._client, self._queues, self._listeners = client, queues, listeners
        self._replicas, self._transitions = replicas, transitions
        # Those that sleep take long to answer: those that are awake for seconds do not wait for them.
        self._free, self._free_asleep = asyncio.Semaphore(in_flight), asyncio.Semaphore(in_flight)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._attempts: dict[str, asyncio.Future[KeptAnswer]] = {}
        self._due: list[tuple[float, str]] = []
        self._pauses = Pauses()
        self._watch = GatewayWatch(lambda gateway: process_of(client, gateway))
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
        """A gateway kept the device's answer to the attempt that is under way."""
        waiting = self._attempts.get(queued.operation.id)
        if waiting is None:
            self.look(queued.operation.endpoint)
        elif not waiting.done():
            waiting.set_result(answer)

    async def run(self) -> None:
        """Look again at endpoints whose time has come, for ever."""
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.time()
            while self._due and self._due[0][0] <= now:
                self.look(heapq.heappop(self._due)[1])
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

    def at(self, when: float, endpoint: str) -> None:
        """Look at the endpoint then. Unix seconds."""
        heapq.heappush(self._due, (when, endpoint))

    async def _care_for(self, endpoint: str) -> None:
        while self.is_ready:
            self._again.discard(endpoint)
            queue = self._queues.of(endpoint)
            step = None if queue is None else self._next_step(endpoint, queue)
            if queue is None or step is None:
                if endpoint not in self._again:
                    return
                continue
            before = queue.last_sequence
            try:
                await step()
            except Overtaken:
                # What overtook it is taken from the stream, and looked at then, unless it was already.
                if queue.last_sequence == before and endpoint not in self._again:
                    return
            except Unavailable as error:
                log.warning("operation.postponed", endpoint=endpoint, reason=str(error))
                self.at(time.time() + RETRY_S, endpoint)
                return

    def _next_step(self, endpoint: str, queue: EndpointQueue) -> Step | None:
        now = datetime.now(UTC)
        for queued in queue.operations.values():
            operation = queued.operation
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
            self.at(until, endpoint)
            return None
        return partial(self._send, queued_next, self._free if way.asleep_s is None else self._free_asleep)

    def _left_behind(self, queued: Queued, now: datetime) -> Step | None:
        """What to do about an attempt that no task of ours is at."""
        operation = queued.operation
        attempt = operation.attempt
        if attempt is None:
            return None
        if attempt.sender == self._replicas.own:
            # Its append was not known to be kept, so it was not sent.
            return partial(self._transitions.append, queued, NotSent("the bus was away"), now)
        if queued.answer is not None and not self._replicas.is_alive(attempt.sender):
            return partial(self._transitions.append, queued, after_answer(queued.answer.answer), now)
        over = attempt.ends_at + timedelta(seconds=TAKE_OVER_GRACE_S)
        if now < over:
            self.at(over.timestamp(), operation.endpoint)
            return None
        happening = (
            after_silence(operation, f"{attempt.sender} went away before the device's answer")
            if queued.answer is None
            else after_answer(queued.answer.answer)
        )
        return partial(self._transitions.append, queued, happening, now)

    async def _send(self, queued: Queued, free: asyncio.Semaphore) -> None:
        operation = queued.operation
        async with free:
            now = datetime.now(UTC)
            way = self._listeners.way_to(operation.endpoint, now.timestamp(), queued.asked_in_vain_at)
            if way is None or is_over(operation, now):
                return
            answer: asyncio.Future[KeptAnswer] = asyncio.get_running_loop().create_future()
            self._attempts[operation.id] = answer
            try:
                timeout_s = max(operation.command.timeout_s, way.asleep_s or 0.0)
                ends_at = now + timedelta(seconds=timeout_s + MARGIN_S)
                dispatched = Dispatched(self._replicas.own, way.gateway, ends_at, asleep_s=way.asleep_s)
                operation = await self._transitions.append(queued, dispatched, now)
                happening = await self._outcome(operation, way, timeout_s, answer)
                metrics.ATTEMPT_SECONDS.observe((datetime.now(UTC) - now).total_seconds())
                await self._settle(queued, happening)
            finally:
                del self._attempts[operation.id]
        log.info(
            "operation.attempted",
            endpoint=operation.endpoint,
            operation=operation.id,
            attempt=operation.attempts,
            happening=type(happening).__name__,
        )

    async def _outcome(
        self, operation: Operation, way: Way, timeout_s: float, kept: asyncio.Future[KeptAnswer]
    ) -> Happening:
        """What the gateway replies; where the bus lost the reply, what it kept, until nothing can come any more."""
        asked_at = time.time()
        async with self._watch.replaced(way.gateway) as replaced:
            replying = asyncio.create_task(self._reply(operation, way.gateway, timeout_s, kept))
            replacing = asyncio.create_task(replaced.wait())
            try:
                await asyncio.wait({replying, replacing}, return_when=asyncio.FIRST_COMPLETED)
                if not replying.done():
                    # The device is not silent: it is asked again at once, unless its answer was kept.
                    await asyncio.wait({kept}, timeout=KEPT_S)
                    reason = f"gateway {way.gateway} was started again before the device's answer"
                    return after_answer(kept.result().answer) if kept.done() else after_silence(operation, reason)
                happening = replying.result()
            except GatewayAway as error:
                self._pauses.failed(way.gateway, time.time())
                return NotSent(str(error))
            finally:
                replying.cancel()
                replacing.cancel()
        self._pauses.worked(way.gateway)
        if isinstance(happening, Unanswered | GivenUp | NotSent):
            # One that woke up while it was waited for is asked again in the time that it is awake.
            self._listeners.silent(operation.endpoint, time.time() if way.asleep_s is None else asked_at)
        return happening

    async def _reply(
        self, operation: Operation, gateway: str, timeout_s: float, kept: asyncio.Future[KeptAnswer]
    ) -> Happening:
        """Raises GatewayAway."""
        happening = await ask(self._client, gateway, operation, timeout_s)
        if happening is not None:
            return happening
        assert operation.attempt is not None
        try:
            async with asyncio.timeout(max(0.0, operation.attempt.ends_at.timestamp() - time.time())):
                return after_answer((await asyncio.shield(kept)).answer)
        except TimeoutError:
            return after_silence(operation, f"gateway {gateway} did not reply")

    async def _settle(self, queued: Queued, happening: Happening) -> None:
        """Keep the outcome, however long the bus is away: it is known only here."""
        while True:
            try:
                await self._transitions.append(queued, happening, datetime.now(UTC))
            except Unavailable as error:
                log.warning("operation.outcome_waits", endpoint=queued.operation.endpoint, reason=str(error))
                await asyncio.sleep(RETRY_S)
            else:
                return

    def _done(self, endpoint: str, task: asyncio.Task[None]) -> None:
        del self._tasks[endpoint]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("operation.failed_to_care", endpoint=endpoint, exc_info=error)
            self.at(time.time() + RETRY_S, endpoint)
        elif endpoint in self._again:
            self.look(endpoint)
