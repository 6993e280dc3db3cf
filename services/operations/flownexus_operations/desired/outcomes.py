"""What an operation that has ended tells of the desired values that it was about. Pure; the clock is an argument."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from flownexus_operations.desired.comparison import attributes_at
from flownexus_operations.desired.device import Device
from flownexus_operations.desired.lifecycle import (
    SERVER_SIDE,
    Happening,
    Hidden,
    NotDone,
    Refused,
    Took,
    TookUnseen,
    after,
    seen,
)
from flownexus_operations.desired.wishes import Wished
from flownexus_schemas.commands import (
    CommandAnswer,
    DiscoverResources,
    JsonValue,
    ReadComposite,
    ReadResource,
    WriteComposite,
)
from flownexus_schemas.desired.standing import DesiredResource, EndpointDesired
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.operations.lifecycle import CANNOT_BE_SENT
from flownexus_schemas.operations.operation import Operation, OperationStatus

NOT_FOUND = "4.04"

WITHDRAWN_BY = "desired values, which changed"

Key = tuple[str, str]
Change = Callable[[DesiredResource], DesiredResource]


def concluded(
    desired: EndpointDesired, operation: Operation, wish: Mapping[Key, Wished], device: Device | None, now: datetime
) -> EndpointDesired:
    """The endpoint after the end of the operation that it asked for. What is desired otherwise since is left alone."""
    assert desired.asked is not None
    about = {(path, attribute): digest for path, attribute, digest in desired.asked.about}
    # Its registration may come here after the end of what was asked in it.
    generation = desired.asked.generation if device is None else device.generation
    end = _End(operation, about, wish, generation, "/" if device is None else device.root, now)
    desired = desired.model_copy(update={"asked": None})
    composite = isinstance(operation.command, ReadComposite | WriteComposite)
    match operation.status:
        case OperationStatus.CONFIRMED if operation.answer is not None:
            desired = end.confirmed(desired, operation.answer)
            return desired.model_copy(update={"composite_failures": 0}) if composite else desired
        case OperationStatus.CANCELLED if WITHDRAWN_BY in operation.last_action:
            return desired
        case OperationStatus.FAILED if composite:
            # One of its parts, or composite requests at all: each part by itself tells.
            failures = desired.composite_failures + 1
            return desired.model_copy(update={"single_in": generation, "composite_failures": failures})
        case OperationStatus.FAILED if operation.answer or operation.last_action.startswith(CANNOT_BE_SENT):
            return end.refused(desired)
    return end.each(desired, end.happens(NotDone(operation.last_action)))


@dataclass(frozen=True, slots=True)
class _End:
    """The end of one operation. `about`: digests of what was desired as it was asked."""

    operation: Operation
    about: Mapping[Key, str]
    wish: Mapping[Key, Wished]
    generation: int | None
    root: str
    now: datetime

    def confirmed(self, desired: EndpointDesired, answer: CommandAnswer) -> EndpointDesired:
        match self.operation.command:
            case DiscoverResources(path=path):
                found = attributes_at(answer.links or "", self.root, Path.parse(path))
                return self.each(desired, lambda one: self._discovered(one, found))
            case ReadResource(path=path):
                values = _values(answer)
                if not values and answer.diagnostic:  # it could not be decoded
                    return self.each(desired, self._unseen)
                return self.each(desired, lambda one: self._has(one, values.get(path)))
            case ReadComposite(paths=paths):
                values = _values(answer)
                told = self.each(desired, lambda one: self._has(one, values[one.path]) if one.path in values else one)
                # Left out can mean anything: such a one is read by itself.
                left_out = any(path not in values for path in paths)
                return told.model_copy(update={"single_in": self.generation}) if left_out else told
        return self.each(desired, self._took, only_same=True)

    def refused(self, desired: EndpointDesired) -> EndpointDesired:
        """A refused write is one of its values. What cannot be read is written, and held once it is taken."""
        answer = self.operation.answer
        code = None if answer is None else answer.code
        if not isinstance(self.operation.command, ReadResource | DiscoverResources):
            reason = self.operation.last_action if answer is None else answer.diagnostic
            return self.each(desired, self.happens(Refused(code, reason)), only_same=True)
        if code == NOT_FOUND:
            return self.each(desired, lambda one: self._has(one, None))
        if code is not None and code.startswith(SERVER_SIDE):
            return self.each(desired, self.happens(NotDone(self.operation.last_action)))
        return self.each(desired, self._unseen)

    def happens(self, happening: Happening) -> Change:
        return lambda one: after(one, happening, self.generation, self.now)

    def each(self, desired: EndpointDesired, change: Change, *, only_same: bool = False) -> EndpointDesired:
        """`change` for each resource that it was about; `only_same`: where the same is desired still."""
        resources = tuple(
            change(one) if one.key in self.about and (not only_same or self.about[one.key] == one.digest) else one
            for one in desired.resources
        )
        return desired.model_copy(update={"resources": resources})

    def _has(self, one: DesiredResource, value: JsonValue | None) -> DesiredResource:
        return seen(one, value, self.wish[one.key].value, self.generation, self.now)

    def _discovered(self, one: DesiredResource, found: Mapping[str, JsonValue]) -> DesiredResource:
        if one.accepted_at is not None and one.desired is not None and one.attribute not in found:
            return self._unseen(one)  # Discover need not show attributes of every level
        return self._has(one, found.get(one.attribute or ""))

    def _took(self, one: DesiredResource) -> DesiredResource:
        return self.happens(TookUnseen() if one.hidden else Took())(one)

    def _unseen(self, one: DesiredResource) -> DesiredResource:
        return self.happens(Hidden() if one.accepted_at is None else TookUnseen())(one)


def _values(answer: CommandAnswer) -> dict[str, JsonValue]:
    """The newest value of each path."""
    return {value.path: value.value for value in sorted(answer.values, key=lambda value: value.time)}
