"""LWM2M_OPERATIONS as one replica follows it: what is open at the start, then every message to whom it concerns."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext

from flownexus_operations import checkpoints, metrics
from flownexus_operations.attempts import kept_answer
from flownexus_operations.checkpoints import Checkpoint, Checkpoints
from flownexus_operations.desired.reconciler import Reconciler
from flownexus_operations.dispatcher import Dispatcher
from flownexus_operations.firmware.engine import FirmwareEngine
from flownexus_operations.listening import Listeners
from flownexus_operations.queues import Queues
from flownexus_operations.rollouts.rollouts import Rollouts
from flownexus_runtime.stream_message import Message
from flownexus_runtime.stream_reader import StreamReader
from flownexus_schemas import subjects
from flownexus_schemas.desired.standing import parse_desired_event
from flownexus_schemas.errors import InvalidMessage, InvalidName, Unavailable
from flownexus_schemas.operations.messages import KeptAnswer, parse_kept_answer, parse_operation_event
from flownexus_schemas.subjects import Stream

log = structlog.get_logger(__name__)

BATCH = 1000
AT_A_TIME = 100
"""Single messages that are asked for beside each other."""

CHECKPOINT_EVERY_S = 5.0

_BESIDE_OPERATIONS = (subjects.ALL_DESIRED, subjects.ALL_FIRMWARE, subjects.ROLLOUT_STATES)
_STATES = (subjects.OPERATION_STATES, *_BESIDE_OPERATIONS)


class Following:
    """`run` until it is lost, then `run` again: it goes on where it was."""

    def __init__(  # noqa: PLR0917 - the parts that messages go to
        self,
        client: Client,
        js: JetStreamContext,
        queues: Queues,
        listeners: Listeners,
        dispatcher: Dispatcher,
        desired: Reconciler,
        firmware: FirmwareEngine,
        rollouts: Rollouts,
    ) -> None:
        self._client, self._js = client, js
        self._queues, self._listeners, self._dispatcher = queues, listeners, dispatcher
        self._desired, self._firmware, self._rollouts = desired, firmware, rollouts
        self._checkpoints = Checkpoints(js)
        self._sequence: int | None = None
        self._stream_created: datetime | None = None
        self._since_checkpoint = 0

    async def run(self) -> None:
        """Take messages until the reader is lost. Raises ReaderLost, Unavailable and what NATS raises."""
        info = await self._js.stream_info(Stream.OPERATIONS)
        if info.created != self._stream_created:
            if self._stream_created is not None:
                log.warning("stream.another", stream=Stream.OPERATIONS)
                self._desired.clear()
                self._firmware.clear()
                self._rollouts.clear()
            self._stream_created, self._sequence = info.created, None
        if self._sequence is None:
            await self._load()
        async with self._reader(self._sequence, subjects.ALL_OPERATIONS, *_BESIDE_OPERATIONS) as reader:
            self._firmware.following(datetime.now(UTC))
            if reader.pending_at_start == 0:
                self._caught_up()
            while True:
                for message in await reader.batch():
                    self._take(message)
                    self._sequence = message.sequence
                    if message.pending == 0:
                        self._caught_up()

    async def keep_checkpoints(self) -> None:
        """From time to time, for ever."""
        while True:
            await asyncio.sleep(CHECKPOINT_EVERY_S)
            if self._since_checkpoint >= checkpoints.EVERY:
                await self.checkpoint()

    async def checkpoint(self) -> None:
        """Spare the next start what has ended by now."""
        if not self._dispatcher.is_ready or not self._sequence or self._stream_created is None:
            return
        taken = self._since_checkpoint
        try:
            await self._checkpoints.keep(self._open_sequences(), self._sequence, self._stream_created)
        except Unavailable as error:
            log.warning("checkpoint.postponed", reason=str(error))
        else:
            self._since_checkpoint -= taken

    def _open_sequences(self) -> Iterator[int]:
        yield from self._queues.sequences()
        yield from self._firmware.sequences()
        yield from self._rollouts.sequences()

    def _caught_up(self) -> None:
        self._desired.caught_up()
        self._firmware.caught_up()
        self._rollouts.caught_up()

    async def _load(self) -> None:
        """Everything as it stands, and the answers that gateways kept to what was asked of their devices."""
        self._dispatcher.is_ready, self._since_checkpoint = False, 0
        self._queues.clear()
        found = await self._checkpoints.fitting(self._stream_created)
        if found is None:
            read, last = await self._read_to_the_end(None, *_STATES)
        else:
            # Desired values have one subject an endpoint: their last messages are as many as devices, however old.
            read = await self._read_open(found) + (await self._read_to_the_end(None, subjects.ALL_DESIRED))[0]
            since, last = await self._read_to_the_end(found.position, *_STATES)
            read, last = read + since, last or found.position
        for endpoint in self._queues:
            await self._know_attempts(endpoint)
        self._sequence = last
        self._since_checkpoint += read
        metrics.READ_AT_START.set(read)
        self._dispatcher.is_ready = True
        log.info("operations.working", open=len(self._queues), sequence=last, read=read)
        self._dispatcher.look_at_all()

    async def _read_open(self, found: Checkpoint) -> int:
        """What was open at the checkpoint, in its order; how many messages that were."""
        sequences = found.sequences
        for first in range(0, len(sequences), AT_A_TIME):
            some = sequences[first : first + AT_A_TIME]
            for sequence, message in zip(
                some, await asyncio.gather(*map(self._checkpoints.message, some)), strict=True
            ):
                if message is not None:
                    self._take(Message(sequence, message.subject or "", message.data or b"", {}, 1))
        return len(sequences)

    async def _read_to_the_end(self, after: int | None, *filters: str) -> tuple[int, int]:
        """Take what there is; how many messages, and the sequence of the last one."""
        read = last = 0
        async with self._reader(after, *filters) as reader:
            pending = reader.pending_at_start
            while pending:
                for message in await reader.batch():
                    self._take(message)
                    read, last, pending = read + 1, message.sequence, message.pending
        return read, last

    async def _know_attempts(self, endpoint: str) -> None:
        queue = self._queues.of(endpoint)
        for queued in list(queue.operations.values() if queue is not None else ()):
            if queued.operation.attempt is not None:
                queued.answer = await kept_answer(self._js, queued.operation)
            if queued.asked_in_vain_at is not None:
                self._listeners.silent(endpoint, queued.asked_in_vain_at)

    def _reader(self, after: int | None, *filters: str) -> StreamReader:
        return StreamReader(self._client, self._js, Stream.OPERATIONS, after=after, size=BATCH, subjects=filters)

    def _take(self, message: Message) -> None:
        self._since_checkpoint += 1
        try:
            if subjects.is_firmware(message.subject):
                self._rollouts.take_update(self._firmware.take(message), message.sequence)
                return
            if subjects.is_rollout(message.subject):
                self._rollouts.take(message)
                return
            if subjects.endpoint_of_desired(message.subject) is not None:
                self._desired.take(parse_desired_event(message.payload), message.sequence)
                return
            endpoint, operation_id, is_answer = subjects.operation_of_subject(message.subject)
        except (InvalidMessage, InvalidName) as error:
            _unreadable(message, error)
            return
        try:
            if is_answer:
                self._take_answer(endpoint, parse_kept_answer(message.payload))
                return
            operation = parse_operation_event(message.payload).data
            if (operation.endpoint, operation.id) != (endpoint, operation_id):
                raise InvalidMessage(f"operation {operation.id} of {operation.endpoint!r} on the subject of another")
        except InvalidMessage as error:
            _unreadable(message, error)
            if not is_answer:
                self._queues.skip(endpoint, operation_id, message.sequence)
            return
        self._queues.take(operation, message.sequence)
        self._dispatcher.look(endpoint)
        self._desired.take_operation(operation)
        self._firmware.take_operation(operation)

    def _take_answer(self, endpoint: str, answer: KeptAnswer) -> None:
        self._listeners.heard(endpoint, answer.received_at.timestamp())
        queued = self._queues.answered(endpoint, answer)
        if queued is not None:
            self._dispatcher.kept(queued, answer)


def _unreadable(message: Message, error: Exception) -> None:
    metrics.UNREADABLE.inc()
    log.error("operation.unreadable", subject=message.subject, sequence=message.sequence, error=str(error))
