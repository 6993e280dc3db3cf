"""Appends transitions to the stream. Each names the last sequence it rests on, so of two that meet one is refused."""

from __future__ import annotations

from datetime import datetime

import structlog
from nats.errors import Error as NatsError
from nats.js import JetStreamContext
from nats.js.api import Header
from nats.js.errors import APIError, BadRequestError, NotFoundError
from nats.js.errors import Error as JetStreamError

from flownexus_operations import metrics
from flownexus_operations.queues import Queued, Queues
from flownexus_schemas import subjects
from flownexus_schemas.errors import InvalidMessage, Unavailable
from flownexus_schemas.jetstream import WRONG_LAST_SEQUENCE
from flownexus_schemas.operations.lifecycle import Dispatched, Happening, apply
from flownexus_schemas.operations.messages import EVENT_OF, parse_operation_event
from flownexus_schemas.operations.operation import Operation
from flownexus_schemas.subjects import Stream

log = structlog.get_logger(__name__)

EXPECTED_SUBJECT = "Nats-Expected-Last-Subject-Sequence-Subject"
"""With it the expected sequence is that of a filter, not of the message's own subject. NATS 2.11, ADR-50."""


class Overtaken(Exception):
    """Another one changed it since: what comes of it is in the stream."""


class Transitions:
    """Of one replica, `source` is its CloudEvents source."""

    def __init__(self, js: JetStreamContext, queues: Queues, source: str) -> None:
        self._js, self._queues, self._source = js, queues, source

    async def append(self, queued: Queued, happening: Happening, now: datetime) -> Operation:
        """The operation after the happening, once the stream has it.

        Raises InvalidTransition, Overtaken, and Unavailable where it is not known whether the stream has it.
        """
        operation = apply(queued.operation, happening, now)
        expected = {Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(queued.sequence)}
        if isinstance(happening, Dispatched):
            # Nothing else of the endpoint may have changed either: at most one of its operations is in flight.
            queue = self._queues.of(operation.endpoint)
            if queue is None:
                raise Overtaken
            expected = {
                Header.EXPECTED_LAST_SUBJECT_SEQUENCE.value: str(queue.last_sequence),
                EXPECTED_SUBJECT: subjects.operations_of(operation.endpoint),
            }
        event = EVENT_OF[type(happening)](
            id=f"{operation.id}-{queued.sequence}-{type(happening).__name__.lower()}",
            source=self._source,
            subject=operation.endpoint,
            time=now,
            data=operation,
        )
        try:
            kept = await self._js.publish(
                subjects.operation(operation.endpoint, operation.id),
                event.model_dump_json().encode(),
                stream=Stream.OPERATIONS,
                headers=expected,
            )
        except BadRequestError as error:
            if error.err_code != WRONG_LAST_SEQUENCE:
                raise
            metrics.CONFLICTS.inc()
            raise Overtaken from error
        except (NatsError, APIError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"the transition is not known to be kept: {error!r}") from error
        metrics.TRANSITIONS.labels(happening=type(happening).__name__).inc()
        self._queues.take(operation, kept.seq)
        return operation

    async def read_again(self, endpoint: str) -> None:
        """Rest on what the stream has of an endpoint now: some of it may have been removed, or aged out by a limit that
        an operator set. Raises Unavailable.
        """
        queue = self._queues.of(endpoint)
        if queue is None:
            return
        before = queue.last_sequence
        last, _ = await self._last(subjects.operations_of(endpoint))
        found = [
            (queued, *await self._last(subjects.operation(endpoint, queued.operation.id)))
            for queued in list(queue.operations.values())
        ]
        if queue.last_sequence != before:
            return  # something came meanwhile
        queue.last_sequence = last
        for queued, sequence, operation in found:
            if sequence == 0:
                log.warning("operation.removed", endpoint=endpoint, operation=queued.operation.id)
                self._queues.forget(queued)
            else:
                queued.operation, queued.sequence = operation or queued.operation, sequence

    async def _last(self, subject: str) -> tuple[int, Operation | None]:
        """The sequence of the last message of a subject, 0 where there is none; its operation where it can be read."""
        try:
            message = await self._js.get_last_msg(Stream.OPERATIONS, subject)
        except NotFoundError:
            return 0, None
        except (NatsError, APIError, JetStreamError, TimeoutError) as error:
            raise Unavailable(f"the stream cannot be read: {error!r}") from error
        try:
            return message.seq or 0, parse_operation_event(message.data or b"").data
        except InvalidMessage:
            return message.seq or 0, None
