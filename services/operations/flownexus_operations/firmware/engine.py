"""Carries out firmware updates: follows the stream and the devices, decides, keeps what happened, asks for operations.

What happened is on the stream before anything is asked of the device, so whoever takes over asks for the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import structlog
from nats.js import JetStreamContext
from pydantic import ValidationError

from flownexus_operations import metrics
from flownexus_operations.endpoint_tasks import RETRY_S, EndpointTasks
from flownexus_operations.firmware.answers import RESULT, STATE, told_by
from flownexus_operations.firmware.asking import FirmwareRequests
from flownexus_operations.firmware.decision import decide
from flownexus_operations.firmware.facts import Decision, Said, Wait, Withdraw
from flownexus_operations.firmware.limits import Limits
from flownexus_operations.firmware.open_updates import OpenUpdate, OpenUpdates
from flownexus_operations.firmware.registered import Registrations
from flownexus_operations.firmware.requests import operation_of
from flownexus_operations.replicas import Replicas
from flownexus_runtime.firmware_updates import Overtaken, change_update
from flownexus_runtime.stream_message import Message
from flownexus_schemas import subjects
from flownexus_schemas.cloudevent import utc
from flownexus_schemas.errors import InvalidMessage, Unavailable
from flownexus_schemas.events import Trigger, ValuesReported, parse_event
from flownexus_schemas.firmware.messages import parse_firmware_event
from flownexus_schemas.firmware.progress import FirmwareProgress
from flownexus_schemas.firmware.update import FirmwareUpdate
from flownexus_schemas.operations.operation import Operation

log = structlog.get_logger(__name__)

Heard = Callable[[str, float], None]
"""Told the endpoint that shows by a download that it listens, and when. Unix seconds."""

_MENTIONED = (f'"{STATE}"'.encode(), f'"{RESULT}"'.encode())


class FirmwareEngine:
    """Of one replica. The owner tells it what comes, in the order of the stream; `run` and `stop` as of Dispatcher."""

    def __init__(
        self,
        js: JetStreamContext,
        *,
        requests: FirmwareRequests,
        replicas: Replicas,
        limits: Limits,
        source: str,
        on_heard: Heard,
    ) -> None:
        self._js, self._requests, self._limits, self._source = js, requests, limits, source
        self._on_heard = on_heard
        self._updates, self._registrations = OpenUpdates(), Registrations()
        self._tasks = EndpointTasks(self._care_for, replicas.is_ours, "firmware")
        self._since = datetime.now(UTC)

    async def run(self) -> None:
        """Look at updates whose time has come, for ever."""
        await self._tasks.run()

    async def stop(self, timeout_s: float) -> None:
        """Begin nothing more; others take over."""
        await self._tasks.stop(timeout_s)

    def following(self, now: datetime) -> None:
        """The stream is followed anew: what devices reported before may have been missed."""
        self._since = now
        self.look_at_all()

    def caught_up(self) -> None:
        """All that is open is known."""
        if self._tasks.start():
            self.look_at_all()

    def clear(self) -> None:
        """The stream is another."""
        self._updates.clear()

    def sequences(self) -> Iterator[int]:
        """Of the messages that say what is open."""
        return self._updates.sequences()

    def look(self, endpoint: str) -> None:
        """Something of the endpoint changed."""
        if self._updates.of(endpoint) is not None:
            self._tasks.look(endpoint)

    def look_at_all(self) -> None:
        """At the start, and when a replica came or went."""
        for endpoint in self._updates:
            self._tasks.look(endpoint)

    def take(self, message: Message) -> FirmwareUpdate:
        """A message of an update's subject. Raises InvalidName, InvalidMessage."""
        endpoint, update_id = subjects.firmware_of_subject(message.subject)
        update = parse_firmware_event(message.payload).data
        if (update.endpoint, update.id) != (endpoint, update_id):
            raise InvalidMessage(f"update {update.id} of {update.endpoint!r} on the subject of another")
        self._keep(update, message.sequence)
        self.look(endpoint)
        return update

    def take_operation(self, operation: Operation) -> None:
        """A message of an operation's subject."""
        if self._updates.take_operation(operation):
            self._tasks.look(operation.endpoint)

    def take_registration(self, key: str, value: bytes | None) -> None:
        """An entry of the registrations bucket."""
        endpoint = self._registrations.apply(key, value)
        if endpoint is not None:
            self.look(endpoint)

    def reported(self, endpoint: str, payload: bytes, now: datetime) -> None:
        """Values that a device sent. What it answered to a read is in the operation, or of somebody else's time."""
        known = self._updates.of(endpoint)
        if known is None or not any(name in payload for name in _MENTIONED):
            return
        try:
            event = parse_event(payload)
        except InvalidMessage:
            return  # ingest sets it aside, with the reason
        if not isinstance(event, ValuesReported) or event.data.trigger is Trigger.READ:
            return
        told = told_by(event.data.records, now)
        if told.state is not None:
            known.state = Said(told.state, now)
        if told.result is not None:
            known.result = Said(told.result, now)
        self._tasks.look(endpoint)

    def served(self, payload: bytes, now: float) -> None:
        """Somebody serves a download. Unix seconds."""
        try:
            progress = FirmwareProgress.model_validate_json(payload)
        except ValidationError as error:
            log.error("firmware.progress_unreadable", error=str(error)[:300])
            return
        endpoint = self._updates.endpoint_of(progress.update_id)
        known = None if endpoint is None else self._updates.of(endpoint)
        if endpoint is None or known is None:
            return
        known.served = Said(progress.bytes_served_upto, utc(now))
        self._on_heard(endpoint, now)
        self._tasks.look(endpoint)

    async def _care_for(self, endpoint: str) -> bool:
        known = self._updates.of(endpoint)
        if known is None:
            return False
        now = datetime.now(UTC)
        decision = decide(known.update, known.facts(self._since, self._registrations.of(endpoint)), self._limits, now)
        try:
            return await self._carry_out(known, decision, now)
        except Overtaken:
            # What overtook it is taken from the stream, and looked at then.
            metrics.CONFLICTS.inc()
            return False
        except Unavailable as error:
            log.warning("firmware.postponed", endpoint=endpoint, reason=str(error))
            self._tasks.at(time.time() + RETRY_S, endpoint)
            return False

    async def _carry_out(self, known: OpenUpdate, decision: Decision, now: datetime) -> bool:
        """Whether to decide again at once. Raises Overtaken, Unavailable."""
        update = known.update
        if isinstance(decision, Wait | Withdraw) and update.operation is not None and known.operation is None:
            known.operation = await self._requests.ask(operation_of(update, self._limits, now))
            return True
        match decision:
            case Wait(until=until):
                if until is not None:
                    self._tasks.at(until.timestamp(), update.endpoint)
                return False
            case Withdraw():
                assert known.operation is not None
                taken_back = await self._requests.take_back(known.operation, now)
                if taken_back is None:
                    return False
                self.take_operation(taken_back)
                return True
        changed, sequence = await change_update(
            self._js, update, known.sequence, decision, source=self._source, now=now
        )
        self._keep(changed, sequence)
        metrics.FIRMWARE_CHANGES.labels(happening=type(decision).__name__).inc()
        log.info(
            "firmware.changed",
            endpoint=changed.endpoint,
            update=changed.id,
            status=changed.status,
            action=changed.last_action,
        )
        return True

    def _keep(self, update: FirmwareUpdate, sequence: int) -> None:
        self._updates.take(update, sequence)
        metrics.FIRMWARE_OPEN.set(len(self._updates))
