"""Brings each endpoint of this replica nearer to what is desired of it, whenever something of it changes."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import ValidationError

from flownexus_operations import metrics
from flownexus_operations.desired.alignment import aligned, waits_for_the_wish
from flownexus_operations.desired.asking import PREFIX, Asking, asked, is_wanted
from flownexus_operations.desired.device import Device, device_of
from flownexus_operations.desired.outcomes import concluded
from flownexus_operations.desired.plan import next_ask
from flownexus_operations.desired.reports import Reported, reported, told
from flownexus_operations.desired.standings import Standings
from flownexus_operations.desired.wishes import Wishes
from flownexus_operations.listening import Listeners
from flownexus_operations.replicas import Replicas
from flownexus_operations.transitions import Overtaken
from flownexus_runtime.bucket import Bucket
from flownexus_schemas import subjects
from flownexus_schemas.desired.standing import AskedFor, DesiredChanged, DesiredState, EndpointDesired
from flownexus_schemas.errors import InvalidName, Unavailable
from flownexus_schemas.operations.operation import Operation
from flownexus_schemas.registrations import StoredRegistration

log = structlog.get_logger(__name__)

AT_A_TIME = 200
"""Endpoints whose messages are on their way to JetStream."""

RETRY_S = 1.0
_TICK_S = 0.25
_YIELD_EVERY = 200
_MEASURE_EVERY_S = 5.0

Step = Callable[[], Awaitable[object]]


class Reconciler:
    """One task an endpoint that has something to do; `look` wakes it. `check_every`: what holds is read again."""

    def __init__(
        self,
        *,
        asking: Asking,
        standings: Standings,
        listeners: Listeners,
        replicas: Replicas,
        check_every: timedelta,
    ) -> None:
        self._asking, self._standings = asking, standings
        self._listeners, self._replicas, self._check_every = listeners, replicas, check_every
        self._wishes = Wishes()
        self._devices: dict[str, Device] = {}
        self._operations: dict[str, Operation] = {}
        self._reports: dict[str, dict[str, Reported]] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._again: set[str] = set()
        self._due: list[tuple[float, str]] = []
        self._due_at: dict[str, float] = {}
        self._everything = asyncio.Event()
        self._free = asyncio.Semaphore(AT_A_TIME)
        self._has_wishes = self._has_standings = self._is_stopping = False

    @property
    def is_ready(self) -> bool:
        """Whether all that is desired and all that is kept of it is known."""
        return self._has_wishes and self._has_standings and not self._is_stopping

    async def run(self, client: Client, js: JetStreamContext) -> None:
        """Follow what is desired, and look again at endpoints whose time has come, until cancelled."""
        followed = {
            subjects.Bucket.DESIRED_VALUES: self._own_changed,
            subjects.Bucket.DESIRED_PROFILES: self._profile_changed,
            subjects.Bucket.ENDPOINT_TAGS: self._tags_changed,
        }
        buckets = [Bucket(client, js, name, apply) for name, apply in followed.items()]
        beside = asyncio.create_task(self._look_at_everything())
        try:
            for bucket in buckets:
                bucket.start()
            for bucket in buckets:
                await bucket.loaded()
            self._has_wishes = True
            self.look_at_all()
            await self._keep_time()
        finally:
            beside.cancel()
            for bucket in buckets:
                await bucket.stop()

    async def stop(self) -> None:
        """Begin nothing more; what is under way goes on as operations do."""
        self._is_stopping = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def caught_up(self) -> None:
        """All messages that the stream had at the start were taken."""
        if not self._has_standings:
            self._has_standings = True
            self.look_at_all()

    def clear(self) -> None:
        """Know nothing of the stream: it is another."""
        self._has_standings = False
        self._standings.clear()
        self._operations.clear()

    def take(self, event: DesiredChanged, sequence: int) -> None:
        """A message of desired values."""
        self._standings.take(event, sequence)
        self._forget_operation(event.data)
        self.look(event.data.endpoint)

    def take_operation(self, operation: Operation) -> None:
        """A message of any operation."""
        if operation.id.startswith(PREFIX):
            self._operations[operation.endpoint] = operation
            self.look(operation.endpoint)

    def take_registration(self, key: str, value: bytes | None) -> None:
        """An entry of the registrations bucket; listeners are told after it, and look."""
        try:
            endpoint = subjects.endpoint_of_key(key)
            device = None if value is None else device_of(StoredRegistration.model_validate_json(value))
        except (InvalidName, ValidationError):
            return  # the listeners say so
        if device is None:
            self._devices.pop(endpoint, None)
        else:
            self._devices[endpoint] = device

    def heard(self, endpoint: str, payload: bytes) -> None:
        """A `reported` event of an endpoint, which may be any bytes."""
        paths = {one.path for one in self._standings.of(endpoint).desired.resources if not one.attribute}
        if paths and self.is_ready and self._replicas.is_ours(endpoint) and (found := reported(payload, paths)):
            self._reports.setdefault(endpoint, {}).update(found)
            self.look(endpoint)

    def look_at_all(self) -> None:
        """At the start, when a profile changed, when a replica came or went."""
        self._everything.set()

    def look(self, endpoint: str) -> None:
        """Something of the endpoint changed."""
        if endpoint in self._tasks:
            self._again.add(endpoint)
            return
        if not self.is_ready or not self._replicas.is_ours(endpoint) or self._next_step(endpoint) is None:
            return
        task = asyncio.create_task(self._care_for(endpoint))
        self._tasks[endpoint] = task
        task.add_done_callback(partial(self._done, endpoint))

    async def _care_for(self, endpoint: str) -> None:
        while self.is_ready:
            self._again.discard(endpoint)
            step = self._next_step(endpoint)
            if step is None:
                if endpoint not in self._again:
                    return
                continue
            before = self._standings.of(endpoint).sequence
            try:
                async with self._free:
                    await step()
            except Overtaken:
                # What overtook it is taken from the stream, and looked at then, unless it was already.
                if self._standings.of(endpoint).sequence == before and endpoint not in self._again:
                    return
            except Unavailable as error:
                log.warning("desired.postponed", endpoint=endpoint, reason=str(error))
                self._at(time.time() + RETRY_S, endpoint)
                return

    def _next_step(self, endpoint: str) -> Step | None:
        now = datetime.now(UTC)
        kept = self._standings.of(endpoint)
        device = self._devices.get(endpoint)
        wish = self._wishes.of(endpoint, kept.desired.objects if device is None else device.objects)
        if (until := waits_for_the_wish(kept, wish, self._standings.source, now)) is not None:
            self._at(until.timestamp(), endpoint)
            return None
        reports = self._reports.get(endpoint, {})
        desired = told(aligned(kept.desired, wish, device, now), reports, wish.by_key, device)
        if desired.asked is not None:
            operation = self._operations.get(endpoint)
            if operation is None or operation.id != desired.asked.operation_id:
                return partial(self._ask, endpoint, desired.asked)
            if not operation.is_open:
                desired = concluded(desired, operation, wish.by_key, device, now)
            elif not is_wanted(desired) and self._asking.is_queued(operation):
                return partial(self._withdraw, operation)
        is_listening = self._listeners.way_to(endpoint, now.timestamp()) is not None
        if desired.asked is None and device is not None and is_listening:
            ask = next_ask(desired, wish.by_key, device, now, self._check_every)
            desired = desired if ask is None else asked(desired, ask, device.generation, now)
        if desired is kept.desired or desired == kept.desired:
            self._reports.pop(endpoint, None)
            self._come_back(desired, now)
            return None
        return partial(self._keep, desired, kept.sequence, dict(reports))

    async def _keep(self, desired: EndpointDesired, rests_on: int, counted: Mapping[str, Reported]) -> None:
        await self._standings.append(desired, rests_on, datetime.now(UTC))
        self._forget_operation(desired)
        waiting = self._reports.get(desired.endpoint, {})
        for path, report in counted.items():
            if waiting.get(path) is report:
                del waiting[path]
        log.info(
            "desired.changed",
            endpoint=desired.endpoint,
            states=dict(Counter(one.state.value for one in desired.resources)),
            asked=None if desired.asked is None else desired.asked.command.operation,
        )

    async def _ask(self, endpoint: str, under_way: AskedFor) -> None:
        operation = await self._asking.ask(endpoint, under_way)
        known = self._operations.get(endpoint)
        if known is None or known.id != operation.id:  # the stream may have told more of it meanwhile
            self._operations[endpoint] = operation

    async def _withdraw(self, operation: Operation) -> None:
        self._operations[operation.endpoint] = await self._asking.withdraw(operation, datetime.now(UTC))

    def _forget_operation(self, desired: EndpointDesired) -> None:
        operation = self._operations.get(desired.endpoint)
        if operation is not None and (desired.asked is None or desired.asked.operation_id != operation.id):
            del self._operations[desired.endpoint]

    def _own_changed(self, key: str, value: bytes | None, revision: int) -> None:
        if (endpoint := self._wishes.apply_own(key, value, revision)) is not None:
            self.look(endpoint)

    def _profile_changed(self, key: str, value: bytes | None, revision: int) -> None:
        self._wishes.apply_profile(key, value, revision)
        self.look_at_all()

    def _tags_changed(self, key: str, value: bytes | None, revision: int) -> None:
        if (endpoint := self._wishes.apply_tags(key, value, revision)) is not None:
            self.look(endpoint)

    async def _look_at_everything(self) -> None:
        while True:
            await self._everything.wait()
            self._everything.clear()
            for number, endpoint in enumerate({*self._standings, *self._devices, *self._wishes}):
                self.look(endpoint)
                if number % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)

    async def _keep_time(self) -> None:
        measured_at = 0.0
        while True:
            await asyncio.sleep(_TICK_S)
            now = time.time()
            while self._due and self._due[0][0] <= now:
                _, endpoint = heapq.heappop(self._due)
                self._due_at.pop(endpoint, None)
                self.look(endpoint)
            if now - measured_at >= _MEASURE_EVERY_S:
                measured_at = now
                self._measure()

    def _measure(self) -> None:
        counted = Counter(one.state for name in self._standings for one in self._standings.of(name).desired.resources)
        for state in DesiredState:
            metrics.DESIRED_RESOURCES.labels(state=state.value).set(counted[state])

    def _come_back(self, desired: EndpointDesired, now: datetime) -> None:
        """Look again when the first of the pauses is over: a device that always listens may be silent for long."""
        later = [one.retry_at for one in desired.resources if one.retry_at is not None and one.retry_at > now]
        if later:
            self._at(min(later).timestamp(), desired.endpoint)

    def _at(self, when: float, endpoint: str) -> None:
        if when < self._due_at.get(endpoint, float("inf")):
            self._due_at[endpoint] = when
            heapq.heappush(self._due, (when, endpoint))

    def _done(self, endpoint: str, task: asyncio.Task[None]) -> None:
        del self._tasks[endpoint]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("desired.failed_to_care", endpoint=endpoint, exc_info=error)
            self._at(time.time() + RETRY_S, endpoint)
        elif endpoint in self._again:
            self._again.discard(endpoint)
            self.look(endpoint)
