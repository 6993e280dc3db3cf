"""What objects and resources are: names, types, units, operations. Built from DDF files by `ddf`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.path import Path

_VERSION = re.compile(r"([0-9]{1,9})\.([0-9]{1,9})")
_DEFAULT_MAJOR = 1


@dataclass(frozen=True, slots=True)
class ResourceModel:
    """One resource of an object. LwM2M Core 1.1.1, appendix D.1.

    `type` is None where there is no value, as for an executable resource. `operations` is "R", "W", "RW", "E" or "",
    the last for what only a bootstrap server reaches. `units` is a unit of the SenML registry, or "".
    `range_enumeration` is the file's own text, read by `value_range.parse_range`.
    """

    id: int
    name: str
    type: DataType | None
    multiple: bool
    mandatory: bool
    operations: str
    units: str = ""
    range_enumeration: str = ""
    description: str = ""

    @property
    def readable(self) -> bool:
        return "R" in self.operations

    @property
    def writable(self) -> bool:
        return "W" in self.operations

    @property
    def executable(self) -> bool:
        return "E" in self.operations


@dataclass(frozen=True, slots=True)
class ObjectModel:
    """One version of one object. LwM2M Core 1.1.1, 7.2.2 and appendix D.1.

    `version` is `<major>.<minor>`; `lwm2m_version` is the lowest LwM2M version that the object needs.
    `resources` is read-only, by resource id, in ascending order.
    """

    id: int
    name: str
    version: str
    lwm2m_version: str
    urn: str
    multiple: bool
    mandatory: bool
    description: str
    resources: Mapping[int, ResourceModel] = field(hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "resources", MappingProxyType(dict(sorted(self.resources.items()))))


@lru_cache(maxsize=1024)
def version_key(version: str) -> tuple[int, int] | None:
    """`1.10` as (1, 10), which sorts; None where the text is not a version, as devices send what they like."""
    match = _VERSION.fullmatch(version)
    return (int(match[1]), int(match[2])) if match else None


class ObjectModels:
    """An immutable set of object models, any number of versions of an object side by side."""

    __slots__ = ("_by_version", "_sorted")

    def __init__(self, models: Iterable[ObjectModel] = ()) -> None:
        """A later model replaces an earlier one of the same id and version."""
        self._by_version: dict[tuple[int, str], ObjectModel] = {(model.id, model.version): model for model in models}
        by_id: dict[int, list[ObjectModel]] = {}
        for model in self._by_version.values():
            by_id.setdefault(model.id, []).append(model)
        self._sorted: dict[int, tuple[ObjectModel, ...]] = {
            object_id: tuple(sorted(by_id[object_id], key=_rank)) for object_id in sorted(by_id)
        }

    def object(self, object_id: int, version: str | None = None) -> ObjectModel | None:
        """The model nearest to `version`: that version, else the highest of its major, else the highest.

        None and a text that is not a version count as any 1.x: an object without a version is 1.0 and minor versions
        only add (LwM2M Core 1.1.1, 7.2.2). Returns None where the object is unknown.
        """
        if version is not None and (exact := self._by_version.get((object_id, version))) is not None:
            return exact
        candidates = self._sorted.get(object_id)
        if candidates is None:
            return None
        key = version_key(version) if version is not None else None
        major = key[0] if key is not None else _DEFAULT_MAJOR
        for model in reversed(candidates):
            if _rank(model)[0] == major:
                return model
        return candidates[-1]

    def resource(self, path: Path, versions: Mapping[int, str] | None = None) -> ResourceModel | None:
        """The model of the resource that `path` is or lies below; `versions` is what a device said at registration.

        A resource that the stated version lacks is taken from the highest version of the same major: clients add
        resources more often than they raise versions. None for a shorter path and for what no model has.
        """
        object_id, resource_id = path.object_id, path.resource_id
        if object_id is None or resource_id is None:
            return None
        version = versions.get(object_id) if versions else None
        model = self.object(object_id, version)
        if model is None:
            return None
        found = model.resources.get(resource_id)
        if found is None and version is not None:
            major = _rank(model)[0]
            for other in reversed(self._sorted[object_id]):
                if _rank(other)[0] == major and resource_id in other.resources:
                    return other.resources[resource_id]
        return found

    def versions_of(self, object_id: int) -> tuple[ObjectModel, ...]:
        """All versions of an object, lowest first; empty where it is unknown."""
        return self._sorted.get(object_id, ())

    def with_models(self, models: Iterable[ObjectModel]) -> ObjectModels:
        """A new set with these added; each replaces the one of the same id and version."""
        return ObjectModels([*self._by_version.values(), *models])

    def __iter__(self) -> Iterator[ObjectModel]:
        """By object id, then version, ascending."""
        for models in self._sorted.values():
            yield from models

    def __len__(self) -> int:
        return len(self._by_version)

    def __contains__(self, object_id: int) -> bool:
        return object_id in self._sorted


def _rank(model: ObjectModel) -> tuple[int, int]:
    return version_key(model.version) or (0, 0)
