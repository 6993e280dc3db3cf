"""Every open update, by endpoint: the sum of the messages of the stream, and what was heard of the devices since."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from flownexus_operations.firmware.facts import Facts, Registered, Said
from flownexus_schemas.firmware.update import FirmwareUpdate
from flownexus_schemas.operations.operation import Operation


@dataclass(slots=True)
class OpenUpdate:
    """An open update and the sequence of its newest message. `operation` is the one that it waits for, once known."""

    update: FirmwareUpdate
    sequence: int
    operation: Operation | None = None
    state: Said | None = None
    result: Said | None = None
    served: Said | None = None

    def facts(self, since: datetime, registered: Registered | None) -> Facts:
        """All that is known beside the update."""
        return Facts(
            since=since,
            operation=self.operation,
            registered=registered,
            state=self.state,
            result=self.result,
            served=self.served,
        )


class OpenUpdates:
    """Filled in the order of the stream; the same message twice changes nothing."""

    def __init__(self) -> None:
        self._by_endpoint: dict[str, OpenUpdate] = {}
        self._endpoint_of: dict[str, str] = {}

    def __len__(self) -> int:
        """How many updates are open."""
        return len(self._by_endpoint)

    def __iter__(self) -> Iterator[str]:
        """The endpoints that are being updated."""
        return iter(list(self._by_endpoint))

    def sequences(self) -> Iterator[int]:
        """Of the messages from which all this can be learned again."""
        return (known.sequence for known in self._by_endpoint.values())

    def clear(self) -> None:
        """Know nothing: the stream is another."""
        self._by_endpoint.clear()
        self._endpoint_of.clear()

    def of(self, endpoint: str) -> OpenUpdate | None:
        """The open update of an endpoint: there is at most one."""
        return self._by_endpoint.get(endpoint)

    def endpoint_of(self, update_id: str) -> str | None:
        """Whose update this is; None where it is not open."""
        return self._endpoint_of.get(update_id)

    def take(self, update: FirmwareUpdate, sequence: int) -> None:
        """An update as a message has it."""
        known = self._by_endpoint.get(update.endpoint)
        if known is not None and sequence <= known.sequence:
            return
        if not update.is_open:
            if known is not None and known.update.id == update.id:
                del self._by_endpoint[update.endpoint]
                del self._endpoint_of[update.id]
            return
        if known is None or known.update.id != update.id:
            if known is not None:
                del self._endpoint_of[known.update.id]
            self._by_endpoint[update.endpoint] = OpenUpdate(update, sequence)
            self._endpoint_of[update.id] = update.endpoint
            return
        if update.operation != known.update.operation:
            known.operation = None
        known.update, known.sequence = update, sequence

    def take_operation(self, operation: Operation) -> bool:
        """An operation as a message has it; whether an update waits for it."""
        known = self._by_endpoint.get(operation.endpoint)
        if known is None or known.update.operation != operation.id:
            return False
        # Once it has ended nothing changes it: what comes later is an echo.
        if known.operation is None or known.operation.is_open:
            known.operation = operation
        return True
