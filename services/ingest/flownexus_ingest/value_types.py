"""The type that each value has: that of the object model in the version that the endpoint stated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flownexus_ingest.received import as_received
from flownexus_ingest.rows import TypeKey
from flownexus_ingest.values import ValueColumns, columns_of, value_columns
from flownexus_schemas.events import Report
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.decoding_again import decoded_again
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from flownexus_schemas.lwm2m.typed_values import type_of


class ValueTypes:
    """Models, and the versions of objects that endpoints stated last, as far as the stream has been projected."""

    def __init__(self, models: ObjectModels) -> None:
        self._models = models
        self._versions: dict[str, Mapping[int, str]] = {}
        self._shared: dict[tuple[tuple[str, str], ...], Mapping[int, str]] = {}

    def begin(self, stated: Iterable[tuple[str, Mapping[str, str]]]) -> None:
        """Forget what was stated, but for these, by endpoint: the tables are where projection goes on."""
        self._versions.clear()
        for endpoint, versions in stated:
            self.state(endpoint, versions)

    def rewound(self, before: Mapping[str, Mapping[int, str]]) -> ValueTypes:
        """As it was when these endpoints had stated these versions; what is projected with it changes nothing here."""
        earlier = ValueTypes(self._models)
        earlier._versions = {**self._versions, **before}
        return earlier

    def state(self, endpoint: str, stated: Mapping[str, str]) -> Mapping[int, str] | None:
        """The endpoint registered or updated with these versions: those before, None where they are the same.

        Thousands of devices that say the same share one mapping. Raises ValueError for an object id that is no number.
        """
        key = tuple(sorted(stated.items()))
        versions = self._shared.get(key)
        if versions is None:
            versions = self._shared[key] = {int(object_id): version for object_id, version in key}
        before = self._versions.get(endpoint, {})
        if before == versions:
            return None
        self._versions[endpoint] = versions
        return before

    def of(self, path: Path, versions: Mapping[int, str]) -> DataType | None:
        """The type of a value at `path` of an endpoint that stated these versions; None where no model states one."""
        return type_of(path, self._models, versions)

    def fitted(self, endpoint: str, path: Path, report: Report, index: int) -> tuple[DataType, ValueColumns]:
        """The type and columns of the record at `index`, which is at `path`: as the model has it, also where the
        gateway had none yet or another; as it came where no model is there or it does not fit. Raises ValueError
        as `as_received` and `value_columns` do.
        """
        return fitted_record(path, report, index, type_of(path, self._models, self._versions.get(endpoint)))

    def fingerprint(self, key: TypeKey) -> str:
        """What all versions of the object say of the resource's type: `1.0=float 1.1=integer`, empty for nothing."""
        object_id, resource_id = key
        return " ".join(
            f"{model.version}={resource.type.value if resource.type else ''}"
            for model in self._models.versions_of(object_id)
            if (resource := model.resources.get(resource_id)) is not None
        )


def fitted_record(path: Path, report: Report, index: int, target: DataType | None) -> tuple[DataType, ValueColumns]:
    """The same for a type that is known. Raises ValueError as `as_received` and `value_columns` do."""
    record = report.records[index]
    if target is record.type:
        return target, value_columns(target, record.value)
    return fitted(path, *as_received(report, index, path), target)


def fitted(path: Path, kind: DataType, value: Value, target: DataType | None) -> tuple[DataType, ValueColumns]:
    """Type and columns of a value of type `kind`, brought to `target`; as it is where that is None or does not fit."""
    again = decoded_again(Record(path, kind, value, None), target) if target is not None else None
    if again is None:
        return kind, columns_of(kind, value)
    return again.type, columns_of(again.type, again.value)
