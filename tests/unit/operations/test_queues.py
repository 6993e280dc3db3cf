"""Whose turn it is, as the stream tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flownexus_operations.queues import Queues
from flownexus_schemas.commands import CommandAnswer, ReadResource
from flownexus_schemas.operations.lifecycle import Cancelled, Confirmed, Dispatched, Unanswered, apply
from flownexus_schemas.operations.messages import KeptAnswer
from flownexus_schemas.operations.operation import Operation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SEND = Dispatched("ops-1", "gw-1", NOW + timedelta(seconds=93))


def operation(name: str, *, priority: int = 0, expires_at: datetime | None = None) -> Operation:
    return Operation(
        id=name,
        endpoint="device-1",
        command=ReadResource(endpoint="device-1", path="3/0/0"),
        priority=priority,
        requested_at=NOW,
        expires_at=expires_at,
    )


def turn(queues: Queues) -> str | None:
    queue = queues.of("device-1")
    queued = None if queue is None else queue.next(NOW)
    return None if queued is None else queued.operation.id


def test_the_highest_priority_comes_first_then_the_first_that_came_and_never_what_is_over() -> None:
    queues = Queues()
    for sequence, one in enumerate(
        [operation("late", priority=9, expires_at=NOW), operation("a"), operation("b"), operation("high", priority=1)],
        1,
    ):
        queues.take(one, sequence)

    order = []
    while (name := turn(queues)) is not None:
        order.append(name)
        queued = queues.find("device-1", name)
        assert queued is not None
        queues.take(apply(queued.operation, Cancelled("admin"), NOW), queued.sequence + 10)

    assert order == ["high", "a", "b"]


def test_what_is_requeued_keeps_its_place() -> None:
    queues = Queues()
    first, second = operation("first"), operation("second")
    queues.take(first, 1)
    queues.take(second, 2)
    sent = apply(first, SEND, NOW)
    queues.take(sent, 3)
    queues.take(apply(sent, Unanswered("silence"), NOW), 4)

    assert turn(queues) == "first"


def test_a_message_that_comes_again_changes_nothing_and_an_ended_operation_is_forgotten() -> None:
    queues = Queues()
    requested = operation("one")
    sent = apply(requested, SEND, NOW)
    done = apply(sent, Confirmed(CommandAnswer(code="2.05")), NOW)
    queues.take(requested, 1)
    queues.take(sent, 2)
    queues.take(requested, 1)

    queue = queues.of("device-1")
    assert queue is not None
    assert queue.is_sending
    assert queue.last_sequence == 2
    queues.take(done, 3)
    assert (len(queues), queues.of("device-1")) == (0, None)


def test_an_answer_is_taken_while_the_operation_is_open_also_when_its_attempt_is_over() -> None:
    queues = Queues()
    sent = apply(operation("one"), SEND, NOW)
    waiting = apply(sent, Unanswered("silence"), NOW)
    queues.take(sent, 1)
    queues.take(waiting, 2)
    answer = KeptAnswer(operation_id="one", attempt=1, answer=CommandAnswer(code="2.05"), received_at=NOW)

    assert queues.answered("device-1", answer.model_copy(update={"operation_id": "other"})) is None
    queued = queues.answered("device-1", answer)
    assert queued is not None
    assert queued.answer == answer
    queues.take(apply(waiting, SEND, NOW), 3)
    assert queued.answer == answer
    queues.take(apply(queued.operation, Confirmed(answer.answer), NOW), 4)
    assert queues.answered("device-1", answer) is None


def test_transitions_rest_on_messages_that_cannot_be_read_too() -> None:
    queues = Queues()
    queues.skip("device-1", "one", 1)
    queues.take(operation("one"), 2)
    queues.skip("device-1", "other", 3)
    queues.skip("device-1", "one", 4)

    queue, queued = queues.of("device-1"), queues.find("device-1", "one")
    assert queue is not None
    assert queued is not None
    assert (queue.last_sequence, queued.sequence) == (4, 4)


def test_what_is_in_the_stream_no_more_is_forgotten_once() -> None:
    queues = Queues()
    queues.take(operation("one"), 1)
    queued = queues.find("device-1", "one")
    assert queued is not None
    queues.forget(queued)
    queues.forget(queued)

    assert (len(queues), queues.of("device-1")) == (0, None)


def test_the_next_expiry_is_that_of_what_waits() -> None:
    queues = Queues()
    soon, later = (operation(name, expires_at=NOW + timedelta(seconds=at)) for name, at in (("one", 5), ("two", 9)))
    queues.take(apply(soon, SEND, NOW), 1)
    queues.take(later, 2)
    queues.take(operation("three"), 3)

    queue = queues.of("device-1")
    assert queue is not None
    assert queue.next_expiry == NOW + timedelta(seconds=9)
