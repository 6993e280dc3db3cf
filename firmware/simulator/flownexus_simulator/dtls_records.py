"""Records of DTLS 1.2 as a device writes and reads them. RFC 6347, 4.1; for TLS_PSK_WITH_AES_128_CCM_8 RFC 6655; with
connection ids RFC 9146. A device has a single server, and wants none in records to itself.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

TAG_BYTES = 8
_HEADER = struct.Struct("!BHHHIH")
_VERSION = 0xFEFD
_VERSIONS = frozenset({0xFEFD, 0xFEFF})
_NUMBER_BYTES = 8
_KEY_BYTES, _SALT_BYTES = 16, 4


class ContentType(IntEnum):
    """RFC 5246, 6.2.1; RFC 9146, 3."""

    CHANGE_CIPHER_SPEC = 20
    ALERT = 21
    HANDSHAKE = 22
    APPLICATION_DATA = 23
    TLS12_CID = 25


class Record(NamedTuple):
    """`number`: epoch and sequence number, as they are on the wire."""

    type: int
    number: bytes
    fragment: bytes

    @property
    def is_protected(self) -> bool:
        return self.number[:2] != b"\0\0"


def split(datagram: bytes) -> Iterator[Record]:
    """The records of a datagram of the server, up to the first that is none."""
    at = 0
    while at + _HEADER.size <= len(datagram):
        type_, version, *_, length = _HEADER.unpack_from(datagram, at)
        begin = at + _HEADER.size
        if version not in _VERSIONS or begin + length > len(datagram):
            return
        yield Record(type_, datagram[at + 3 : at + 11], datagram[begin : begin + length])
        at = begin + length


def plain(type_: int, sequence: int, fragment: bytes) -> bytes:
    """A record of epoch 0, which nothing protects."""
    return _HEADER.pack(type_, _VERSION, 0, sequence >> 32, sequence & 0xFFFFFFFF, len(fragment)) + fragment


def prf(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    """RFC 5246, 5, with SHA-256."""
    seed = label + seed
    out, a = b"", seed
    while len(out) < length:
        a = hmac.digest(secret, a, "sha256")
        out += hmac.digest(secret, a + seed, "sha256")
    return out[:length]


class Protection:
    """Seals what a device sends and opens what it is sent, in epoch 1. `server_cid` is in each record to the server."""

    def __init__(self, master_secret: bytes, client_random: bytes, server_random: bytes, server_cid: bytes) -> None:
        size = 2 * (_KEY_BYTES + _SALT_BYTES)
        block = prf(master_secret, b"key expansion", server_random + client_random, size)
        self._write, self._read = AESCCM(block[:16], TAG_BYTES), AESCCM(block[16:32], TAG_BYTES)
        self._write_salt, self._read_salt = block[32:36], block[36:]
        self._cid = server_cid
        self._sequence = 0

    def seal(self, type_: int, content: bytes) -> bytes:
        """A record, as it is sent."""
        number = b"\0\1" + self._sequence.to_bytes(6, "big")
        self._sequence += 1
        if not self._cid:
            data = number + struct.pack("!BHH", type_, _VERSION, len(content))
            body = number + self._write.encrypt(self._write_salt + number, content, data)
            return struct.pack("!BH", type_, _VERSION) + number + len(body).to_bytes(2, "big") + body
        outer, inner = struct.pack("!BH", ContentType.TLS12_CID, _VERSION), content + bytes((type_,))
        cid_type = bytes((ContentType.TLS12_CID, len(self._cid)))
        data = b"\xff" * 8 + cid_type + outer + number + self._cid + len(inner).to_bytes(2, "big")
        body = number + self._write.encrypt(self._write_salt + number, inner, data)
        return outer + number + self._cid + len(body).to_bytes(2, "big") + body

    def open(self, record: Record) -> bytes | None:
        """What is in a record; None where the server did not write it."""
        nonce, sealed = record.fragment[:_NUMBER_BYTES], record.fragment[_NUMBER_BYTES:]
        data = record.number + struct.pack("!BHH", record.type, _VERSION, max(0, len(sealed) - TAG_BYTES))
        try:
            return self._read.decrypt(self._read_salt + nonce, sealed, data)
        except (InvalidTag, ValueError):
            return None
