"""The values of resources as bytes in TLV. LwM2M Core 1.1.1, appendix C."""

from __future__ import annotations

import struct

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.path import Path
from flownexus_schemas.lwm2m.record import Record, Value
from flownexus_schemas.lwm2m.typed_values import checked, record_of

_FLOAT_OF_SIZE = {4: struct.Struct(">f"), 8: struct.Struct(">d")}
_OBJLNK = struct.Struct(">HH")
_INTEGER_SIZES = (1, 2, 4, 8)


def read(path: Path, data: bytes, target: DataType | None) -> Record:
    """The record of a value, opaque where no model tells the type. Raises CodecError."""
    if target is None or target is DataType.OPAQUE:
        return Record(path, DataType.OPAQUE, data)
    return record_of(path, target, _value(path, data, target), target, None)


def write(record: Record) -> bytes:
    """The inverse; numbers as short as can be without loss. Raises CodecError."""
    value = checked(record)
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool):
        return b"\x01" if value else b"\x00"
    if isinstance(value, int):
        return _whole(value, signed=record.type is not DataType.UNSIGNED)
    if isinstance(value, float):
        if record.type is DataType.TIME:
            raise CodecError(f"{record.path}: TLV carries times in whole seconds, not {value}")
        return _real(value)
    if record.type is DataType.OBJLNK:
        object_id, _, instance_id = value.partition(":")
        return _OBJLNK.pack(int(object_id), int(instance_id))
    return value.encode()


def _value(path: Path, data: bytes, target: DataType) -> Value:
    size = len(data)
    if target in (DataType.STRING, DataType.CORELNK):
        return data
    if target is DataType.FLOAT:
        if size in _FLOAT_OF_SIZE:
            number: float = _FLOAT_OF_SIZE[size].unpack(data)[0]
            return number
    elif target is DataType.OBJLNK:
        if size == _OBJLNK.size:
            return "{}:{}".format(*_OBJLNK.unpack(data))
    elif 1 <= size <= 8:
        return int.from_bytes(data, signed=target is not DataType.UNSIGNED)
    raise CodecError(f"{path}: {size} bytes are not a value of type {target}")


def _whole(value: int, *, signed: bool) -> bytes:
    bits = value.bit_length() if value >= 0 else (value + 1).bit_length()
    size = next(size for size in _INTEGER_SIZES if bits + signed <= size * 8)
    return value.to_bytes(size, signed=signed)


def _real(value: float) -> bytes:
    try:
        short = _FLOAT_OF_SIZE[4].pack(value)
    except OverflowError:
        return _FLOAT_OF_SIZE[8].pack(value)
    return short if _FLOAT_OF_SIZE[4].unpack(short)[0] == value else _FLOAT_OF_SIZE[8].pack(value)
