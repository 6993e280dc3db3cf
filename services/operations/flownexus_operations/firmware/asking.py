"""Asks for the operations of updates, and takes back those of no use any more."""

from __future__ import annotations

from datetime import datetime

from flownexus_operations.operation_requests import OperationRequests
from flownexus_operations.queues import Queues
from flownexus_operations.transitions import Overtaken, Transitions
from flownexus_schemas.operations.lifecycle import Cancelled, InvalidTransition
from flownexus_schemas.operations.operation import Operation

BY = "its firmware update"


class FirmwareRequests:
    """Of one replica."""

    def __init__(self, requests: OperationRequests, queues: Queues, transitions: Transitions) -> None:
        self._requests, self._queues, self._transitions = requests, queues, transitions

    async def ask(self, operation: Operation) -> Operation:
        """Have it on the stream; as it stands, where it is there already. Raises Unavailable."""
        return await self._requests.request(operation)

    async def take_back(self, operation: Operation, now: datetime) -> Operation | None:
        """The operation once it is cancelled; None where it is not queued any more. Raises Unavailable."""
        queued = self._queues.find(operation.endpoint, operation.id)
        if queued is None:
            return None
        try:
            return await self._transitions.append(queued, Cancelled(BY), now)
        except (Overtaken, InvalidTransition):
            return None
