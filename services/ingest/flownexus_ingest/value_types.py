"""The type that each value has: that of the object model in the version that the endpoint stated."""

from __future__ import annotations

from collections.abc import Mapping

from flownexus_ingest.rows import TypeKey
from flownexus_ingest.values import ValueColumns, value_columns
from flownexus_schemas.events import ReportedRecord
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.decoding_again import decoded_again
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from flownexus_schemas.lwm2m.typed_values import type_of


class ValueTypes:
    """Models, and the versions of objects that endpoints stated, as far as the stream has been read."""

    def __init__(self, models: ObjectModels) -> None:
        self._models = models
        self._versions: dict[str, Mapping[int, str]] = {}
        self._shared: dict[tuple[tuple[str, str], ...], Mapping[int, str]] = {}

    def state(self, endpoint: str, stated: Mapping[str, str]) -> None:
        """The endpoint registered or updated with these. Thousands of devices that say the same share one mapping."""
        key = tuple(sorted(stated.items()))
        versions = self._shared.get(key)
        if versions is None:
            versions = self._shared[key] = {int(object_id): version for object_id, version in key}
        self._versions[endpoint] = versions

    def of(self, endpoint: str, path: Path) -> DataType | None:
        """The type of a value at `path`; None where no model states one."""
        return type_of(path, self._models, self._versions.get(endpoint))

    def fitted(self, endpoint: str, path: Path, record: ReportedRecord) -> tuple[DataType, ValueColumns]:
        """The type and columns of a reported value: as the model has it, also where the gateway did not have the model
        yet; as it came where no model is there or it does not fit. Raises ValueError as `value_columns` does.
        """
        columns = value_columns(record.type, record.value)
        target = self.of(endpoint, path)
        if target is None or target is record.type:
            return record.type, columns
        return self.fitted_columns(path, record.type, record.value, columns, target)

    def fitted_columns(
        self, path: Path, kind: DataType, value: Value, columns: ValueColumns, target: DataType
    ) -> tuple[DataType, ValueColumns]:
        """Type and columns of a value of type `kind`, brought to `target`; as they are where it does not fit."""
        natural = next((part for part in (columns.value_bytes, columns.value_float) if part is not None), value)
        again = decoded_again(Record(path, kind, natural, None), target)
        if again is None:
            return kind, columns
        if isinstance(again.value, bytes):
            return target, ValueColumns(value_bytes=again.value)
        return target, value_columns(target, again.value)

    def fingerprint(self, key: TypeKey) -> str:
        """What all versions of the object say of the resource's type: `1.0=float 1.1=integer`, empty for nothing."""
        object_id, resource_id = key
        return " ".join(
            f"{model.version}={resource.type.value if resource.type else ''}"
            for model in self._models.versions_of(object_id)
            if (resource := model.resources.get(resource_id)) is not None
        )
