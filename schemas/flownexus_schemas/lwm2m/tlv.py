"""TLV, apart from its values: entries of type, identifier and length, nested two deep. LwM2M Core 1.1.1, 7.4."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from flownexus_schemas.lwm2m.errors import CodecError
from flownexus_schemas.lwm2m.limits import check_count

MAX_LENGTH = 2**24 - 1


class Kind(IntEnum):
    """What an entry is: bits 7 and 6 of its first byte."""

    OBJECT_INSTANCE = 0
    RESOURCE_INSTANCE = 1
    MULTIPLE_RESOURCE = 2
    RESOURCE = 3


class Tlv(NamedTuple):
    """One entry; the value of an object instance and of a multiple resource is entries again."""

    kind: Kind
    id: int
    value: bytes


_KINDS = tuple(Kind)


def parse(data: bytes) -> list[Tlv]:
    """The entries, one after the other until the end. Raises CodecError."""
    entries = []
    position = 0
    end = len(data)
    while position < end:
        first = data[position]
        id_size = 2 if first & 0x20 else 1
        length_size = first >> 3 & 0x03
        value_at = position + 1 + id_size + length_size
        if value_at > end:
            raise CodecError("the TLV ends within the header of an entry")
        number = int.from_bytes(data[position + 1 : position + 1 + id_size])
        length = int.from_bytes(data[value_at - length_size : value_at]) if length_size else first & 0x07
        if value_at + length > end:
            raise CodecError(f"a TLV entry of {length} bytes, of which {end - value_at} are there")
        entries.append(Tlv(_KINDS[first >> 6], number, data[value_at : value_at + length]))
        position = value_at + length
        check_count(len(entries))
    return entries


def build(entry: Tlv) -> bytes:
    """One entry, its header as short as can be. Raises CodecError for a value of more than MAX_LENGTH bytes."""
    return header(entry.kind, entry.id, len(entry.value)) + entry.value


def header(kind: Kind, id_: int, length: int) -> bytes:
    """What comes before a value of `length` bytes. Raises CodecError as `build` does."""
    if length > MAX_LENGTH:
        raise CodecError(f"a TLV entry has at most {MAX_LENGTH} bytes, not {length}")
    id_size = 2 if id_ > 0xFF else 1
    length_size = 0 if length < 8 else (length.bit_length() + 7) // 8
    first = kind << 6 | (0x20 if id_size == 2 else 0) | length_size << 3 | (0 if length_size else length)
    return bytes((first,)) + id_.to_bytes(id_size) + (length.to_bytes(length_size) if length_size else b"")
