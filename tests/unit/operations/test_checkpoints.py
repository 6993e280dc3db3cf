"""A start from a checkpoint knows what a start from the first message knows."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from flownexus_operations.checkpoints import checkpoint, decode, encode
from flownexus_operations.queues import Queues
from flownexus_schemas.commands import ReadResource
from flownexus_schemas.operations.operation import Operation, OperationStatus

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)


def operation(endpoint: str, name: str, status: OperationStatus) -> Operation:
    command = ReadResource(endpoint=endpoint, path="3/0/0")
    return Operation(id=name, endpoint=endpoint, command=command, requested_at=NOW, status=status)


def taken(messages: dict[int, Operation]) -> Queues:
    queues = Queues()
    for sequence in sorted(messages):
        queues.take(messages[sequence], sequence)
    return queues


def known(queues: Queues) -> dict[str, tuple[int, dict[str, tuple[Operation, int]]]]:
    """All that a transition rests on."""
    found = {}
    for endpoint in queues:
        queue = queues.of(endpoint)
        assert queue is not None
        each = {name: (queued.operation, queued.sequence) for name, queued in queue.operations.items()}
        found[endpoint] = queue.last_sequence, each
    return found


ENDPOINTS, NAMES = st.sampled_from("ab"), st.sampled_from("123456")
MESSAGES = st.lists(st.builds(operation, ENDPOINTS, NAMES, st.sampled_from(OperationStatus)), max_size=40)


@given(MESSAGES, st.data())
def test_the_open_messages_and_those_since_are_as_good_as_all(history: list[Operation], data: st.DataObject) -> None:
    messages = dict(enumerate(history, 1))
    position = data.draw(st.integers(0, len(history)))
    # A replica knows of its own transitions before they come from the stream.
    ahead = data.draw(st.integers(position, len(history)))
    until_then = taken({sequence: one for sequence, one in messages.items() if sequence <= ahead})

    kept = set(until_then.sequences())
    again = taken({sequence: one for sequence, one in messages.items() if sequence in kept})
    for sequence in range(position + 1, len(history) + 1):
        again.take(messages[sequence], sequence)

    assert known(again) == known(taken(messages))


@given(st.sets(st.integers(1, 2**63)))
def test_what_is_kept_is_read_as_it_was(sequences: set[int]) -> None:
    one = checkpoint(sequences, 7, NOW, NOW)
    again = decode(encode(one))
    assert again == one
    assert again is not None
    assert again.sequences == sorted(sequences)


def test_a_hundred_thousand_open_operations_fit_in_a_message() -> None:
    assert len(encode(checkpoint(range(1, 700_000, 7), 700_000, NOW, NOW))) < 100_000


def test_what_is_no_checkpoint_is_none() -> None:
    assert decode(b"") is None
    assert decode(b"{}") is None
