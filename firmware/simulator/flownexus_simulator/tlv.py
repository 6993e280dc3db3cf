"""OMA TLV, written and read. LwM2M Core 1.1.1, 7.4.3."""

from __future__ import annotations

import struct
from itertools import groupby

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_simulator.values import Leaf, Leaves, Path, Scalar

OBJECT_INSTANCE, RESOURCE_INSTANCE, MULTIPLE_RESOURCE, RESOURCE = range(4)


class MalformedTlv(ValueError):
    """Bytes that are no TLV."""


def write(leaves: Leaves, base: Path) -> bytes:
    """The TLV of values read at `base`."""
    if len(base) == 4:
        return b"".join(_element(RESOURCE_INSTANCE, path[3], _value(leaf)) for path, leaf in leaves)
    if len(base) >= 2:
        return _resources(leaves)
    return b"".join(
        _element(OBJECT_INSTANCE, instance[1], _resources(list(group)))
        for instance, group in groupby(leaves, key=lambda item: item[0][:2])
    )


def _resources(leaves: Leaves) -> bytes:
    out = b""
    for resource, group in groupby(leaves, key=lambda item: item[0][:3]):
        members = list(group)
        if len(members[0][0]) == 3:
            out += _element(RESOURCE, resource[2], _value(members[0][1]))
        else:
            inner = b"".join(_element(RESOURCE_INSTANCE, path[3], _value(leaf)) for path, leaf in members)
            out += _element(MULTIPLE_RESOURCE, resource[2], inner)
    return out


def _element(kind: int, identifier: int, value: bytes) -> bytes:
    first = kind << 6
    wide = identifier > 255
    if wide:
        first |= 0x20
    size = len(value)
    if size < 8:
        length = b""
        first |= size
    else:
        width = (size.bit_length() + 7) // 8
        length = size.to_bytes(width, "big")
        first |= width << 3
    return bytes((first,)) + identifier.to_bytes(2 if wide else 1, "big") + length + value


def _value(leaf: Leaf) -> bytes:
    value = leaf.value
    match leaf.type:
        case DataType.STRING | DataType.CORELNK:
            return str(value).encode()
        case DataType.BOOLEAN:
            return b"\x01" if value else b"\x00"
        case DataType.FLOAT:
            return struct.pack(">d", value)
        case DataType.OPAQUE:
            assert isinstance(value, bytes)
            return value
        case DataType.OBJLNK:
            return struct.pack(">HH", *map(int, str(value).split(":")))
        case DataType.INTEGER | DataType.UNSIGNED | DataType.TIME:
            number = int(value)
            signed = leaf.type is not DataType.UNSIGNED
            for width in (1, 2, 4, 8):
                if (-(1 << (8 * width - 1)) <= number < 1 << (8 * width - 1)) if signed else number < 1 << (8 * width):
                    return number.to_bytes(width, "big", signed=signed)
            raise ValueError(f"{number} does not fit 8 bytes")


def read(payload: bytes, base: Path) -> list[tuple[Path, bytes]]:
    """The raw values of a write at `base` with their full paths. Raises MalformedTlv."""
    found: list[tuple[Path, bytes]] = []
    position = 0
    while position < len(payload):
        first = payload[position]
        wide = bool(first & 0x20)
        width = first >> 3 & 0x03
        start = position + 2 + wide
        end_of_header = start + width
        if end_of_header > len(payload):
            raise MalformedTlv("header is cut short")
        identifier = int.from_bytes(payload[position + 1 : start], "big")
        size = int.from_bytes(payload[start:end_of_header], "big") if width else first & 0x07
        value = payload[end_of_header : end_of_header + size]
        if len(value) != size:
            raise MalformedTlv("value is cut short")
        position = end_of_header + size
        kind = first >> 6
        path = (*base[: {OBJECT_INSTANCE: 1, RESOURCE_INSTANCE: 3}.get(kind, 2)], identifier)
        if kind in {OBJECT_INSTANCE, MULTIPLE_RESOURCE}:
            found += read(value, path)
        else:
            found.append((path, value))
    return found


def parse(raw: bytes, kind: DataType) -> Scalar:
    """A raw value as its type. Raises MalformedTlv."""
    try:
        match kind:
            case DataType.STRING | DataType.CORELNK:
                return raw.decode()
            case DataType.BOOLEAN:
                return raw != b"\x00"
            case DataType.FLOAT:
                number: float = struct.unpack(">f" if len(raw) == 4 else ">d", raw)[0]
                return number
            case DataType.OPAQUE:
                return raw
            case DataType.OBJLNK:
                object_id, instance_id = struct.unpack(">HH", raw)
                return f"{object_id}:{instance_id}"
            case DataType.INTEGER | DataType.UNSIGNED | DataType.TIME:
                return int.from_bytes(raw, "big", signed=kind is not DataType.UNSIGNED)
    except (UnicodeDecodeError, struct.error) as error:
        raise MalformedTlv(str(error)) from error
