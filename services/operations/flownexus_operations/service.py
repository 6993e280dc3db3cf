"""Operations as it runs: reads the stream and the registrations, hears devices and other replicas, dispatches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from datetime import UTC, datetime, timedelta

import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import Error as JetStreamError

from flownexus_operations import metrics
from flownexus_operations.desired.asking import Asking
from flownexus_operations.desired.reconciler import Reconciler
from flownexus_operations.desired.standings import Standings
from flownexus_operations.dispatcher import Dispatcher
from flownexus_operations.firmware.asking import FirmwareRequests
from flownexus_operations.firmware.engine import FirmwareEngine
from flownexus_operations.following import Following
from flownexus_operations.listening import Listeners
from flownexus_operations.operation_requests import OperationRequests
from flownexus_operations.queues import Queues
from flownexus_operations.replicas import INTERVAL_S, Replicas
from flownexus_operations.rollouts.rollouts import Rollouts
from flownexus_operations.settings import OperationsSettings
from flownexus_operations.transitions import Transitions
from flownexus_runtime import bus
from flownexus_runtime.bucket import Bucket
from flownexus_runtime.stream_reader import ReaderLost
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidName, Unavailable
from flownexus_schemas.subjects import EventKind

log = structlog.get_logger(__name__)

FIRST_DELAY_S = 0.2
LONGEST_DELAY_S = 5.0
GOODBYE = b"goodbye"

_AWAY = (NatsError, JetStreamError, OSError, TimeoutError, ReaderLost, Unavailable)


class Operations:
    """One operations replica. `run` works until cancelled; `stop` before it ends what is under way."""

    def __init__(self, settings: OperationsSettings) -> None:
        self._settings = settings
        self._queues = Queues()
        self._replicas = Replicas(settings.operations_id)
        self._client: Client | None = None
        self._dispatcher: Dispatcher | None = None
        self._listeners: Listeners | None = None
        self._desired: Reconciler | None = None
        self._firmware: FirmwareEngine | None = None
        self._rollouts: Rollouts | None = None

    def is_connected(self) -> bool:
        """Whether NATS is there."""
        return self._client is not None and self._client.is_connected

    def is_working(self) -> bool:
        """Whether all that is open is known."""
        return self._dispatcher is not None and self._dispatcher.is_ready

    async def run(self) -> None:
        """Work; whatever is away is waited for, with growing pauses."""
        delay = FIRST_DELAY_S
        client = self._client = await self._connect()
        js = bus.jetstream(client)
        source = f"/operations/{self._settings.operations_id}"
        listeners = self._listeners = Listeners(self._look)
        transitions = Transitions(js, self._queues, source)
        dispatcher = self._dispatcher = Dispatcher(
            client=client,
            js=js,
            queues=self._queues,
            listeners=listeners,
            replicas=self._replicas,
            transitions=transitions,
            in_flight=self._settings.operations_in_flight,
        )
        rollouts = self._rollouts = Rollouts(
            client=client, js=js, listeners=listeners, replicas=self._replicas, source=source
        )
        requests = OperationRequests(js, source)
        desired = self._desired = Reconciler(
            asking=Asking(requests, self._queues, transitions),
            standings=Standings(js, source),
            listeners=listeners,
            replicas=self._replicas,
            check_every=timedelta(seconds=self._settings.operations_desired_check_s),
        )
        firmware = self._firmware = FirmwareEngine(
            js,
            requests=FirmwareRequests(requests, self._queues, transitions),
            replicas=self._replicas,
            limits=self._settings.firmware_limits,
            source=source,
            on_heard=listeners.heard,
        )
        following = Following(client, js, self._queues, listeners, dispatcher, desired, firmware, rollouts)
        registrations = Bucket(client, js, subjects.Bucket.REGISTRATIONS, self._take_registration)
        # Before this one says that it is alive: the others then say so at once.
        await client.subscribe(subjects.ALL_OPERATIONS_ALIVE, cb=self._heard_replica)
        tasks = [
            asyncio.create_task(self._say_alive()),
            asyncio.create_task(dispatcher.run()),
            asyncio.create_task(desired.run(client, js)),
            asyncio.create_task(firmware.run()),
        ]
        try:
            for kind in (EventKind.REPORTED, EventKind.HEARD):
                await client.subscribe(subjects.events_of_kind(kind), cb=self._heard_device)
            await client.subscribe(subjects.ALL_FIRMWARE_PROGRESS, cb=self._heard_download)
            registrations.start()
            await registrations.loaded()
            listeners.is_loaded = True
            tasks.append(asyncio.create_task(following.keep_checkpoints()))
            while True:
                try:
                    await following.run()
                except _AWAY as error:
                    log.warning("operations.waiting", reason=type(error).__name__, error=str(error)[:300])
                if dispatcher.is_ready:
                    delay = FIRST_DELAY_S
                await asyncio.sleep(delay)
                delay = min(2 * delay, LONGEST_DELAY_S)
        finally:
            for task in tasks:
                task.cancel()
            await registrations.stop()
            await client.close()

    async def stop(self, timeout_s: float) -> None:
        """Begin nothing more, end what is under way, and tell the others."""
        if self._rollouts is not None:
            await self._rollouts.stop()
        if self._desired is not None:
            await self._desired.stop()
        if self._firmware is not None:
            await self._firmware.stop(timeout_s)
        if self._dispatcher is not None:
            await self._dispatcher.stop(timeout_s)
        if self._client is not None and self._client.is_connected:
            with contextlib.suppress(NatsError, TimeoutError):
                await self._client.publish(subjects.operations_alive(self._replicas.own), GOODBYE)
                await self._client.flush(timeout=1)

    async def _connect(self) -> Client:
        while True:
            try:
                return await bus.connect(self._settings, f"operations {self._settings.operations_id}")
            except (NatsError, OSError, TimeoutError) as error:
                log.warning("nats.not_reachable", error=repr(error))
                await asyncio.sleep(FIRST_DELAY_S)

    def _take_registration(self, key: str, value: bytes | None, revision: int) -> None:
        assert self._desired is not None
        assert self._listeners is not None
        self._desired.take_registration(key, value)
        self._listeners.apply(key, value, revision)
        assert self._firmware is not None
        self._firmware.take_registration(key, value)

    def _look(self, endpoint: str) -> None:
        if self._dispatcher is not None:
            self._dispatcher.look(endpoint)
        if self._desired is not None:
            self._desired.look(endpoint)

    async def _heard_device(self, message: Msg) -> None:
        assert self._listeners is not None
        assert self._desired is not None
        if message.headers and subjects.LATE in message.headers:
            return
        with contextlib.suppress(InvalidName):
            endpoint = subjects.endpoint_of_subject(message.subject)
            self._desired.heard(endpoint, message.data)  # first: what it reports need not be read
            self._listeners.heard(endpoint, time.time())
            assert self._firmware is not None
            self._firmware.reported(endpoint, message.data, datetime.now(UTC))

    async def _heard_download(self, message: Msg) -> None:
        assert self._firmware is not None
        self._firmware.served(message.data, time.time())

    async def _heard_replica(self, message: Msg) -> None:
        replica = message.subject.split(".")[2]
        now = asyncio.get_running_loop().time()
        changed = self._replicas.gone(replica) if message.data == GOODBYE else self._replicas.heard(replica, now)
        if changed:
            if message.data != GOODBYE:
                await self._say_alive_once()
            self._replicas_changed()

    async def _say_alive_once(self) -> None:
        if self._client is not None and self._client.is_connected:
            with contextlib.suppress(NatsError):
                await self._client.publish(subjects.operations_alive(self._replicas.own), b"")

    async def _say_alive(self) -> None:
        while True:
            await self._say_alive_once()
            if self._replicas.forget_dead(asyncio.get_running_loop().time()):
                self._replicas_changed()
            metrics.REPLICAS.set(self._replicas.alive)
            await asyncio.sleep(INTERVAL_S)

    def _replicas_changed(self) -> None:
        log.info("replicas.changed", alive=self._replicas.alive)
        if self._rollouts is not None:
            self._rollouts.look_at_all()
        if self._dispatcher is not None:
            self._dispatcher.look_at_all()
        if self._desired is not None:
            self._desired.look_at_all()
        if self._firmware is not None:
            self._firmware.look_at_all()
