"""Content-Format 60: one value as CBOR. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cbor2

from flownexus_schemas.lwm2m import bounded_cbor
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.object_model import ObjectModels
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.single_value import only_record, resource_path
from flownexus_schemas.lwm2m.typed_values import checked, record_of, shown, type_of

_NAME = "CBOR"
_EPOCH_TAG = 1
_NATURAL: Mapping[type, DataType] = {
    bool: DataType.BOOLEAN,
    int: DataType.INTEGER,
    float: DataType.FLOAT,
    str: DataType.STRING,
    bytes: DataType.OPAQUE,
    bounded_cbor.Timestamp: DataType.TIME,
}


def decode(payload: bytes, base_path: Path, models: ObjectModels, versions: Mapping[int, str] | None) -> list[Record]:
    """Of the type of the CBOR item where no model tells another. Times with tag 0, 1 or none. Raises CodecError."""
    if not payload:
        return []
    path = resource_path(base_path, _NAME)
    item = bounded_cbor.loads(payload)
    natural = _NATURAL.get(type(item))
    if natural is None:
        raise CodecError(f"{path}: {shown(item)} is not a value")
    value = item.seconds if natural is DataType.TIME else item
    return [record_of(path, natural, value, type_of(path, models, versions), None)]


def encode(records: Sequence[Record], base_path: Path) -> bytes:
    """The inverse; times get tag 1, which some clients insist on. Raises CodecError unless one record, at the base."""
    record = only_record(records, base_path, _NAME)
    value = checked(record)
    return cbor2.dumps(cbor2.CBORTag(_EPOCH_TAG, value) if record.type is DataType.TIME else value)
