"""Every open operation, by endpoint: the sum of the messages of the stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from flownexus_schemas.operations.messages import KeptAnswer
from flownexus_schemas.operations.operation import Operation, OperationStatus


@dataclass(slots=True)
class Queued:
    """An open operation. `sequence` is that of its newest message, `first_sequence` gives its place among equals;
    `answer` is what the device answered to one of its attempts, also where that came too late for the attempt.
    """

    operation: Operation
    sequence: int
    first_sequence: int
    answer: KeptAnswer | None = None

    @property
    def is_sending(self) -> bool:
        return self.operation.status is OperationStatus.SENDING

    @property
    def asked_in_vain_at(self) -> float | None:
        """When the device was last sent it and did not answer, Unix seconds; None where it was not."""
        attempt = self.operation.attempt
        was_sent = attempt is not None and attempt.number == self.operation.attempts
        return attempt.started_at.timestamp() if attempt is not None and was_sent else None


@dataclass(slots=True)
class EndpointQueue:
    """The open operations of one endpoint. `last_sequence` is that of the newest message of any of its operations."""

    last_sequence: int = 0
    operations: dict[str, Queued] = field(default_factory=dict)

    @property
    def is_sending(self) -> bool:
        """Whether one is in flight: at most one is, whoever sends it."""
        return any(queued.is_sending for queued in self.operations.values())

    @property
    def next_expiry(self) -> datetime | None:
        """When the time of one that waits is over."""
        waiting = (queued.operation for queued in self.operations.values() if not queued.is_sending)
        return min((one.expires_at for one in waiting if one.expires_at is not None), default=None)

    def next(self, now: datetime) -> Queued | None:
        """The one whose turn it is: the highest priority, then the first that came."""
        waiting = [
            queued
            for queued in self.operations.values()
            if queued.operation.status is OperationStatus.QUEUED and not is_over(queued.operation, now)
        ]
        return min(waiting, key=_turn, default=None)


class Queues:
    """Filled by `take` and `answered` in the order of the stream; the same message twice changes nothing."""

    def __init__(self) -> None:
        self._by_endpoint: dict[str, EndpointQueue] = {}
        self._open = 0

    def __len__(self) -> int:
        """How many operations are open."""
        return self._open

    def __iter__(self) -> Iterator[str]:
        """The endpoints that have open operations."""
        return iter(list(self._by_endpoint))

    def sequences(self) -> Iterator[int]:
        """Of the messages from which all this can be learned again."""
        for queue in self._by_endpoint.values():
            yield queue.last_sequence
            for queued in queue.operations.values():
                yield queued.sequence

    def clear(self) -> None:
        """Know nothing: the stream is another."""
        self._by_endpoint.clear()
        self._open = 0

    def of(self, endpoint: str) -> EndpointQueue | None:
        """The queue of an endpoint; None where nothing is open."""
        return self._by_endpoint.get(endpoint)

    def find(self, endpoint: str, operation_id: str) -> Queued | None:
        """An open operation."""
        queue = self._by_endpoint.get(endpoint)
        return None if queue is None else queue.operations.get(operation_id)

    def take(self, operation: Operation, sequence: int) -> None:
        """An operation as a message has it."""
        queue = self._by_endpoint.get(operation.endpoint)
        if queue is None:
            if not operation.is_open:
                return
            queue = self._by_endpoint[operation.endpoint] = EndpointQueue()
        queue.last_sequence = max(queue.last_sequence, sequence)
        known = queue.operations.get(operation.id)
        if known is not None and sequence <= known.sequence:
            return
        if operation.is_open:
            if known is None:
                self._open += 1
                queue.operations[operation.id] = Queued(operation, sequence, sequence)
            else:
                known.operation, known.sequence = operation, sequence
            return
        if known is not None:
            self._remove(queue, operation)

    def skip(self, endpoint: str, operation_id: str, sequence: int) -> None:
        """A message that could not be read: what comes after rests on it all the same."""
        queue = self._by_endpoint.get(endpoint)
        if queue is None:
            return
        queue.last_sequence = max(queue.last_sequence, sequence)
        queued = queue.operations.get(operation_id)
        if queued is not None:
            queued.sequence = max(queued.sequence, sequence)

    def forget(self, queued: Queued) -> None:
        """Its messages are in the stream no more."""
        queue = self._by_endpoint.get(queued.operation.endpoint)
        if queue is not None and queue.operations.get(queued.operation.id) is queued:
            self._remove(queue, queued.operation)

    def answered(self, endpoint: str, answer: KeptAnswer) -> Queued | None:
        """A gateway kept the device's answer; the operation where it is open."""
        queued = self.find(endpoint, answer.operation_id)
        if queued is not None:
            queued.answer = answer
        return queued

    def _remove(self, queue: EndpointQueue, operation: Operation) -> None:
        self._open -= 1
        del queue.operations[operation.id]
        if not queue.operations:
            del self._by_endpoint[operation.endpoint]


def is_over(operation: Operation, now: datetime) -> bool:
    """Whether it is not to be sent any more."""
    return operation.expires_at is not None and operation.expires_at <= now


def _turn(queued: Queued) -> tuple[int, datetime, int]:
    return (-queued.operation.priority, queued.operation.requested_at, queued.first_sequence)
