"""The values of resources as items of CBOR. LwM2M Core 1.1.1, appendix C."""

from __future__ import annotations

from collections.abc import Mapping

import cbor2

from flownexus_schemas.lwm2m.bounded_cbor import Timestamp
from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record
from flownexus_schemas.lwm2m.typed_values import checked, record_of, shown

_EPOCH_TAG = 1
_NATURAL: Mapping[type, DataType] = {
    bool: DataType.BOOLEAN,
    int: DataType.INTEGER,
    float: DataType.FLOAT,
    str: DataType.STRING,
    bytes: DataType.OPAQUE,
}


def read(path: Path, item: object, target: DataType | None) -> Record:
    """The record of an item, of the type of the item where no model tells another. Times with tag 0, 1 or none.

    Raises CodecError.
    """
    if isinstance(item, Timestamp):
        return record_of(path, DataType.TIME, item.seconds, target, None)
    natural = _NATURAL.get(type(item))
    if natural is None or not isinstance(item, str | int | float | bytes):
        raise CodecError(f"{path}: {shown(item)} is not a value")
    return record_of(path, natural, item, target, None)


def write(record: Record) -> object:
    """The inverse, for cbor2 to write; times get tag 1, which some clients insist on. Raises CodecError."""
    value = checked(record)
    return cbor2.CBORTag(_EPOCH_TAG, value) if record.type is DataType.TIME else value
