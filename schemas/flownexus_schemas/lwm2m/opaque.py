"""Content-Format 42: one value as bytes. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.single_value import only_record, resource_path
from flownexus_schemas.lwm2m.typed_values import checked, record_of, type_of

_NAME = "application/octet-stream"


def decode(payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> list[Record]:
    """Opaque where no model tells the type; strings are taken as UTF-8. Raises CodecError.

    An empty payload is the empty value where the type is opaque, otherwise it has no records.
    """
    if not payload and base_path.resource_id is None:
        return []
    path = resource_path(base_path, _NAME)
    target = type_of(path, models, versions)
    if not payload and target is not DataType.OPAQUE:
        return []
    return [record_of(path, DataType.OPAQUE, payload, target, None)]


def encode(records: Sequence[Record], base_path: Path) -> bytes:
    """The inverse. Raises CodecError unless there is one record, opaque, at `base_path`."""
    record = only_record(records, base_path, _NAME)
    value = checked(record)
    if not isinstance(value, bytes):
        raise CodecError(f"{record.path}: {_NAME} carries values of type opaque, not {record.type}")
    return value
