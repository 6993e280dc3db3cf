"""Records as datagrams have them. Sans-IO. RFC 6347, 4.1; with a connection id RFC 9146, 4."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

HEADER_BYTES = 13
VERSION = b"\xfe\xfd"
"""DTLS 1.2."""

_ANY_VERSION = 0xFE
_CID_AT = 11


class ContentType(IntEnum):
    """RFC 5246, 6.2.1; RFC 9146, 3."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    TLS12_CID = 25


class Record(NamedTuple):
    """One record; `fragment` is what follows the header, protected or not."""

    type: int
    epoch: int
    sequence: int
    cid: bytes
    fragment: bytes

    @property
    def number(self) -> bytes:
        """Epoch and sequence number, 8 bytes."""
        return self.epoch.to_bytes(2, "big") + self.sequence.to_bytes(6, "big")

    def write(self) -> bytes:
        """The record with its header, as DTLS 1.2."""
        length = len(self.fragment).to_bytes(2, "big")
        return b"".join((bytes((self.type,)), VERSION, self.number, self.cid, length, self.fragment))


def split(datagram: bytes, cid_bytes: int) -> Iterator[Record]:
    """The records of a datagram, up to the first that is cut short or none. `cid_bytes`: length of our connection ids.

    What is malformed is dropped without an answer. RFC 6347, 4.1.2.7.
    """
    position, size = 0, len(datagram)
    while position + HEADER_BYTES <= size:
        type_ = datagram[position]
        cid_end = position + _CID_AT + (cid_bytes if type_ == ContentType.TLS12_CID else 0)
        begin = cid_end + 2
        end = begin + int.from_bytes(datagram[cid_end:begin], "big")
        if datagram[position + 1] != _ANY_VERSION or begin > size or end > size:
            return
        yield Record(
            type_,
            int.from_bytes(datagram[position + 3 : position + 5], "big"),
            int.from_bytes(datagram[position + 5 : position + _CID_AT], "big"),
            datagram[position + _CID_AT : cid_end],
            datagram[begin:end],
        )
        position = end


def cid_of(datagram: bytes, cid_bytes: int) -> bytes | None:
    """The connection id of the first record; None where that has none."""
    if len(datagram) < HEADER_BYTES + cid_bytes or datagram[0] != ContentType.TLS12_CID:
        return None
    return datagram[_CID_AT : _CID_AT + cid_bytes]


def pack(records: Iterable[bytes], mtu: int) -> list[bytes]:
    """Written records in as few datagrams of at most `mtu` bytes as their order allows; a larger one is alone."""
    datagrams: list[bytes] = []
    for record in records:
        if datagrams and len(datagrams[-1]) + len(record) <= mtu:
            datagrams[-1] += record
        else:
            datagrams.append(record)
    return datagrams
