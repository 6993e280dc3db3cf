"""Asks for the operations that desired values need, each once, and takes back those that nobody wants any more."""

from __future__ import annotations

import hashlib
from datetime import datetime

from flownexus_operations.desired.outcomes import WITHDRAWN_BY
from flownexus_operations.desired.plan import Ask
from flownexus_operations.operation_requests import OperationRequests
from flownexus_operations.queues import Queues
from flownexus_operations.transitions import Overtaken, Transitions
from flownexus_schemas.commands import ReadComposite, WriteComposite
from flownexus_schemas.desired.standing import AskedFor, EndpointDesired
from flownexus_schemas.operations.lifecycle import Cancelled
from flownexus_schemas.operations.operation import MAX_ATTEMPTS, Operation, OperationStatus

PREFIX = "desired-"
"""How the ids of these operations begin."""

PRIORITY = -10
"""What people ask for comes first."""


def asked(desired: EndpointDesired, ask: Ask, generation: int, now: datetime) -> EndpointDesired:
    """The endpoint with this request under way; the operation's id follows from it."""
    count = desired.asked_count + 1
    text = f"{desired.endpoint}\0{desired.wish}\0{count}\0{now.isoformat()}"
    under_way = AskedFor(
        operation_id=PREFIX + hashlib.blake2b(text.encode(), digest_size=16).hexdigest(),
        command=ask.command,
        about=tuple((*one.key, one.digest) for one in ask.about),
        asked_at=now,
        generation=generation,
    )
    return desired.model_copy(update={"asked": under_way, "asked_count": count})


def is_wanted(desired: EndpointDesired) -> bool:
    """Whether what is asked for is still desired: each value of a write as it is, at least one path of a read."""
    assert desired.asked is not None
    digests = {one.key: one.digest for one in desired.resources}
    about = desired.asked.about
    if desired.asked.command.operation in {"read", "read-composite", "discover"}:
        return any((path, attribute) in digests for path, attribute, _ in about)
    return all(digests.get((path, attribute)) == digest for path, attribute, digest in about)


class Asking:
    """Of one replica."""

    def __init__(self, requests: OperationRequests, queues: Queues, transitions: Transitions) -> None:
        self._requests, self._queues, self._transitions = requests, queues, transitions

    async def ask(self, endpoint: str, under_way: AskedFor) -> Operation:
        """Have the operation on the stream; as it stands where it is there already. Raises Unavailable."""
        command = under_way.command
        together = isinstance(command, ReadComposite | WriteComposite)
        operation = Operation(
            id=under_way.operation_id,
            endpoint=endpoint,
            command=command,
            priority=PRIORITY,
            requested_at=under_way.asked_at,
            # Some clients never answer a composite request: one wake-up is enough to know.
            max_attempts=1 if together else MAX_ATTEMPTS,
            last_action="Requested for desired values.",
        )
        return await self._requests.request(operation)

    def is_queued(self, operation: Operation) -> bool:
        """Whether it waits, as far as the stream was read."""
        queued = self._queues.find(operation.endpoint, operation.id)
        return queued is not None and queued.operation.status is OperationStatus.QUEUED

    async def withdraw(self, operation: Operation, now: datetime) -> Operation:
        """Take it back, where it is queued. Raises Overtaken, Unavailable."""
        queued = self._queues.find(operation.endpoint, operation.id)
        if queued is None or queued.operation.status is not OperationStatus.QUEUED:
            raise Overtaken
        return await self._transitions.append(queued, Cancelled(WITHDRAWN_BY), now)
