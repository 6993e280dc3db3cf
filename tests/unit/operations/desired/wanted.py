"""A device in memory, and what is desired of it, for tests of the pure parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from flownexus_operations.desired.alignment import aligned
from flownexus_operations.desired.asking import asked
from flownexus_operations.desired.device import Device
from flownexus_operations.desired.outcomes import concluded
from flownexus_operations.desired.plan import next_ask
from flownexus_operations.desired.wishes import Wish, merged
from flownexus_schemas.commands import (
    AnsweredValue,
    AnyCommand,
    CommandAnswer,
    DiscoverResources,
    JsonValue,
    ReadComposite,
    ReadResource,
    WriteAttributes,
    WriteComposite,
    WriteResource,
)
from flownexus_schemas.desired.standing import DesiredResource, EndpointDesired
from flownexus_schemas.desired.wish import DesiredValues
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.operations.lifecycle import Dispatched, after_answer, apply
from flownexus_schemas.operations.operation import Operation

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


def device(generation: int = 1, version: tuple[int, int] = (1, 1), links: str = "1/0 3/0 3303/0") -> Device:
    paths = tuple(Path.parse(link) for link in links.split())
    objects = tuple(sorted({path.object_id for path in paths if path.object_id is not None}))
    return Device(generation, f"r{generation}", NOW.timestamp() - 60, version, "/", paths, objects)


def wish_of(values: Mapping[str, int], attributes: Mapping[str, Mapping[str, float | None]] | None = None) -> Wish:
    """Whole numbers by path, and attributes by path."""
    own = DesiredValues.model_validate(
        {
            "values": [{"path": path, "value": value, "type": "integer"} for path, value in values.items()],
            "attributes": [{"path": path, "attributes": given} for path, given in (attributes or {}).items()],
        }
    )
    return merged(own, [])


@dataclass
class Played:
    """A device that does what it is asked, but for what is said of it. `codes`: to operations on a path."""

    has: dict[str, JsonValue] = field(default_factory=dict)
    attributes: dict[str, dict[str, float]] = field(default_factory=dict)
    codes: dict[tuple[str, str], str] = field(default_factory=dict)
    keeps: bool = True
    shows_attributes: bool = True
    registered: Device = field(default_factory=device)
    requests: list[AnyCommand] = field(default_factory=list)

    def answer(self, command: AnyCommand) -> CommandAnswer:
        """As a device with these resources would."""
        self.requests.append(command)
        paths = [one.path for one in getattr(command, "values", ())] or list(getattr(command, "paths", ()))
        paths = paths or [str(getattr(command, "path", ""))]
        for path in paths:
            if (code := self.codes.get((command.operation, path))) is not None:
                return CommandAnswer(code=code, diagnostic="no")
        match command:
            case ReadResource() | ReadComposite():
                found = [path for path in paths if path in self.has]
                if not found:
                    return CommandAnswer(code="4.04")
                values = tuple(
                    AnsweredValue(path=path, type=DataType.INTEGER, value=self.has[path], time=NOW) for path in found
                )
                return CommandAnswer(code="2.05", values=values)
            case WriteResource(values=values) | WriteComposite(values=values):
                if self.keeps:
                    self.has |= {one.path: one.value for one in values}
            case WriteAttributes(path=path, attributes=given) if self.keeps:
                kept = self.attributes.setdefault(path, {})
                for name, number in given.items():
                    if number is None:
                        kept.pop(name, None)
                    else:
                        kept[name] = number
            case DiscoverResources(path=path):
                stated = self.attributes.get(path, {}) if self.shows_attributes else {}
                links = f"</{path}>" + "".join(f";{name}={number:g}" for name, number in stated.items())
                return CommandAnswer(code="2.05", links=links)
        return CommandAnswer(code="2.04")


def ended(operation: Operation, answer: CommandAnswer, now: datetime) -> Operation:
    """The operation with this answer."""
    sent = apply(operation, Dispatched("ops-1", "gw-1", now), now)
    return apply(sent, after_answer(answer), now)


def awake(
    desired: EndpointDesired, wish: Wish, played: Played, now: datetime, *, most: int = 50, check_every: timedelta = DAY
) -> EndpointDesired:
    """The endpoint after a time awake in which the device is asked all that there is to ask. AssertionError where
    that does not end.
    """
    desired = aligned(desired, wish, played.registered, now)
    for _ in range(most):
        ask = next_ask(desired, wish.by_key, played.registered, now, check_every)
        if ask is None:
            return desired
        desired = asked(desired, ask, played.registered.generation, now)
        assert desired.asked is not None
        operation = Operation(
            id=desired.asked.operation_id, endpoint=desired.endpoint, command=ask.command, requested_at=now
        )
        operation = ended(operation, played.answer(ask.command), now)
        desired = concluded(desired, operation, wish.by_key, played.registered, now)
    raise AssertionError(f"it goes on and on: {played.requests[-5:]}")


NOTHING_KNOWN = EndpointDesired(endpoint="device-1")


def of(desired: EndpointDesired, path: str, attribute: str = "") -> DesiredResource:
    """One desired value."""
    return next(one for one in desired.resources if one.key == (path, attribute))
