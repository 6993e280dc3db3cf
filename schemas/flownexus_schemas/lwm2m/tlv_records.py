"""Content-Formats 11542 and 1542: what the entries of a TLV mean below a path. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flownexus_schemas.lwm2m import tlv_values
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.limits import check_count
from flownexus_schemas.lwm2m.marks import Mark
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.tlv import Kind, Tlv, build, parse
from flownexus_schemas.lwm2m.typed_values import type_of

_ONLY_INSTANCE = 0
_NESTING = (Mark.TLV_NESTING,)
_EXPECTED: Mapping[int, frozenset[Kind]] = {
    # LwM2M 1.0.2, 6.4.3: an object of one instance may leave its entry out, and one instance may have it around.
    1: frozenset({Kind.OBJECT_INSTANCE, Kind.RESOURCE, Kind.MULTIPLE_RESOURCE}),
    2: frozenset({Kind.OBJECT_INSTANCE, Kind.RESOURCE, Kind.MULTIPLE_RESOURCE}),
    3: frozenset({Kind.RESOURCE, Kind.MULTIPLE_RESOURCE, Kind.RESOURCE_INSTANCE}),
    4: frozenset({Kind.RESOURCE_INSTANCE}),
}
"""Kinds of the outermost entries, by the depth of the path."""


def decode(payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> list[Record]:
    """The values of object instances, of resources or of resource instances. Raises CodecError.

    Taken although nested otherwise than the path asks for: resources below an object (they are of its instance 0),
    an object instance or the multiple resource around what was asked for, instances written as resources. Their
    records are marked.
    """
    if not payload:
        return []
    if base_path.object_id is None:
        raise CodecError("TLV has no object ids: it cannot carry values of several objects")
    records: list[Record] = []
    reader = _Reader(base_path, models, versions)
    for entry in parse(payload):
        found = reader.top(entry)
        records += found if reader.is_expected(entry) else [record._replace(marks=_NESTING) for record in found]
        check_count(len(records))
    return records


def encode(records: Sequence[Record], base_path: Path) -> bytes:
    """The inverse: entries of the level below `base_path`, its own for a resource or an instance. Raises CodecError."""
    if base_path.object_id is None:
        raise CodecError("TLV has no object ids: it cannot carry values of several objects")
    for record in records:
        if record.path.resource_id is None or not base_path.contains(record.path):
            raise CodecError(f"a value is at /{record.path}, not at /{base_path}")
    if base_path.object_instance_id is None:
        instances: dict[int | None, list[Record]] = {}
        for record in records:
            instances.setdefault(record.path.object_instance_id, []).append(record)
        return b"".join(
            build(Tlv(Kind.OBJECT_INSTANCE, number or 0, _resources(below))) for number, below in instances.items()
        )
    if base_path.resource_instance_id is not None:
        return b"".join(map(_instance, records))
    return _resources(records)


def _resources(records: Sequence[Record]) -> bytes:
    resources: dict[int | None, list[Record]] = {}
    for record in records:
        resources.setdefault(record.path.resource_id, []).append(record)
    return b"".join(_resource(number or 0, below) for number, below in resources.items())


def _resource(number: int, records: Sequence[Record]) -> bytes:
    if any(record.path.resource_instance_id is not None for record in records):
        if not all(record.path.resource_instance_id is not None for record in records):
            raise CodecError(f"/{records[0].path.resource} has both a value and instances")
        return build(Tlv(Kind.MULTIPLE_RESOURCE, number, b"".join(map(_instance, records))))
    if len(records) > 1:
        raise CodecError(f"/{records[0].path} has {len(records)} values, TLV carries one")
    return build(Tlv(Kind.RESOURCE, number, tlv_values.write(records[0])))


def _instance(record: Record) -> bytes:
    return build(Tlv(Kind.RESOURCE_INSTANCE, record.path.resource_instance_id or 0, tlv_values.write(record)))


class _Reader:
    """Reads entries below one path; recursion follows the kinds and so ends after two levels."""

    def __init__(self, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> None:
        self._base = base_path
        self._models = models
        self._versions = versions
        self._instance = Path(
            base_path.object_id,
            _ONLY_INSTANCE if base_path.object_instance_id is None else base_path.object_instance_id,
        )

    def is_expected(self, entry: Tlv) -> bool:
        """Whether the entry is of the level that the path asks for; else what it means was assumed."""
        if entry.kind not in _EXPECTED[self._base.depth]:
            return False
        is_value = entry.kind in {Kind.RESOURCE, Kind.MULTIPLE_RESOURCE}
        return self._base.depth != 3 or not is_value or entry.id == self._base.resource_id

    def top(self, entry: Tlv) -> list[Record]:
        if entry.kind is Kind.OBJECT_INSTANCE:
            instance = self._below(Path(self._base.object_id, entry.id))
            return [record for part in parse(entry.value) for record in self._resource(instance, part)]
        if self._base.resource_id is None:
            return self._resource(self._instance, entry)
        return self._at_resource(entry)

    def _at_resource(self, entry: Tlv) -> list[Record]:
        """An entry where one resource or one of its instances was asked for."""
        resource = self._base.resource
        if entry.kind is Kind.RESOURCE_INSTANCE:
            return [self._value(resource, entry)]
        if entry.kind is Kind.RESOURCE and entry.id != resource.resource_id and self._multiple(resource):
            return [self._value(resource, entry)]
        if entry.kind is Kind.RESOURCE and entry.id == resource.resource_id:
            return [self._read(self._base, entry.value)]
        return self._resource(self._instance, entry)

    def _resource(self, instance: Path, entry: Tlv) -> list[Record]:
        path = self._below(Path(instance.object_id, instance.object_instance_id, entry.id))
        if entry.kind is Kind.RESOURCE:
            return [self._read(path, entry.value)]
        if entry.kind is Kind.MULTIPLE_RESOURCE:
            return [self._value(path, part) for part in parse(entry.value)]
        raise CodecError(f"a TLV entry of kind {entry.kind.name} stands where a resource of /{instance} is expected")

    def _value(self, resource: Path, entry: Tlv) -> Record:
        if entry.kind not in (Kind.RESOURCE_INSTANCE, Kind.RESOURCE):
            raise CodecError(f"a TLV entry of kind {entry.kind.name} stands where a value of /{resource} is expected")
        record = self._read(self._below(resource.child(entry.id)), entry.value)
        return record if entry.kind is Kind.RESOURCE_INSTANCE else record._replace(marks=_NESTING)

    def _multiple(self, resource: Path) -> bool:
        model = self._models.resource(resource, self._versions)
        return model is not None and model.multiple

    def _read(self, path: Path, data: bytes) -> Record:
        return tlv_values.read(path, data, type_of(path, self._models, self._versions))

    def _below(self, path: Path) -> Path:
        """`path`, if it is on the way to what was asked for or below it. Raises CodecError."""
        if not self._base.contains(path) and not path.contains(self._base):
            raise CodecError(f"a value is at /{path}, not at /{self._base}")
        return path
