"""The objects of an endpoint with the values as they change."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from flownexus_console.api_models import ObjectTree, Resource
from flownexus_console.history import as_number
from flownexus_schemas.events import ReportedRecord

FIRST_OF_APPLICATIONS = 2048
"""Objects below are OMA's own, for managing the device. LwM2M registry, object classes."""

SENSOR_VALUE = 5700
"""Sensor Value, the reusable resource of IPSO's sensor objects."""

NUMERIC = frozenset({"integer", "unsigned", "float", "boolean"})


class ObjectValues:
    """The tree last read from the API, with live values put over it."""

    def __init__(self) -> None:
        self.tree = ObjectTree(items=())
        self._live: dict[str, ReportedRecord] = {}
        self._known: dict[str, Resource] = {}

    def read(self, tree: ObjectTree) -> None:
        """Take a tree; live values stay where the tree's are older, as rows follow events with a delay."""
        self.tree = tree
        self._known = {resource.path: resource for resource in _resources(tree)}

    def take(self, records: Iterable[ReportedRecord]) -> bool:
        """Put live values over the tree. Returns whether some resource is new, so that the tree has to be read."""
        unknown = False
        for record in records:
            before = self._live.get(record.path)
            if before is None or record.time >= before.time:
                self._live[record.path] = record
            unknown = unknown or record.path not in self._known
        return unknown

    def current(self, path: str) -> Resource | None:
        """One resource as it is now; None if the endpoint has none of this path."""
        resource = self._known.get(path)
        return None if resource is None else self._over(resource)

    def title(self, resource: Resource) -> str:
        """A resource's name with its object's: `Temperature · Sensor Value`."""
        object_id = _object_id(resource)
        name = next((known.name for known in self.tree.items if known.id == object_id), None)
        return f"{name or f'Object {object_id}'} · {resource.name or f'Resource {resource.id}'}"

    def paths(self, operation: str = "") -> list[tuple[str, str]]:
        """The resources that take an operation (`R`, `W`, `E`), or all; each with its name."""
        found = self._known.values()
        return [(one.path, self.title(one)) for one in found if operation in (one.operations or operation)]

    def first_numeric(self) -> Resource | None:
        """A resource to show when nobody has chosen one: a measured value before a setting of the device."""
        numeric = [current for current in map(self._over, self._known.values()) if is_numeric(current)]
        return min(numeric, key=_interest, default=None)

    def objects(self) -> list[dict[str, object]]:
        """The objects as plain data for the browser: those of sensors and actuators before those of the device."""
        return [
            {
                **device_object.model_dump(mode="json", exclude={"instances"}),
                "instances": [
                    {"id": instance.id, "resources": [self._plain(resource) for resource in instance.resources]}
                    for instance in device_object.instances
                ],
            }
            for device_object in sorted(self.tree.items, key=lambda known: (known.id < FIRST_OF_APPLICATIONS, known.id))
        ]

    def _over(self, resource: Resource) -> Resource:
        record = self._live.get(resource.path)
        if record is None or (resource.time is not None and resource.time > record.time):
            return resource
        return resource.model_copy(
            update={"value": record.value, "time": record.time, "type": resource.type or record.type.value}
        )

    def _plain(self, resource: Resource) -> dict[str, object]:
        current = self._over(resource)
        return {**current.model_dump(mode="json"), "chartable": is_numeric(current)}


def is_numeric(resource: Resource) -> bool:
    """Whether a resource has a value that a chart can show."""
    return as_number(resource.value) is not None and (resource.type is None or resource.type in NUMERIC)


def _object_id(resource: Resource) -> int:
    return int(resource.path.split("/")[0])


def _interest(resource: Resource) -> tuple[bool, bool]:
    return _object_id(resource) < FIRST_OF_APPLICATIONS, resource.id != SENSOR_VALUE


def _resources(tree: ObjectTree) -> Iterator[Resource]:
    for device_object in tree.items:
        for instance in device_object.instances:
            yield from instance.resources
