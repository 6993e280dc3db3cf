"""Records protected and opened, with and without a connection id. Sans-IO. RFC 5246, 6.2.3.3; RFC 9146, 4 and 5.3."""

from __future__ import annotations

from typing import NamedTuple

from cryptography.exceptions import InvalidTag

from flownexus_gateway.transport.dtls.records import VERSION, ContentType, Record
from flownexus_gateway.transport.dtls.suites import Suite, TrafficKeys

_EXPLICIT_NONCE = 8
_PLACEHOLDER = b"\xff" * 8


class Content(NamedTuple):
    """What a record holds."""

    type: int
    content: bytes


class Protection:
    """Of the records of one direction of one epoch. `cid`: the connection id that they carry; empty for none."""

    __slots__ = ("_aead", "_salt", "cid", "overhead")

    def __init__(self, suite: Suite, keys: TrafficKeys, cid: bytes) -> None:
        self._aead, self._salt = suite.aead(keys.key), keys.salt
        self.cid, self.overhead = cid, _EXPLICIT_NONCE + suite.tag_bytes

    def seal(self, epoch: int, sequence: int, content: Content) -> Record:
        """A protected record. The sequence number is the nonce: never use one twice."""
        number = epoch.to_bytes(2, "big") + sequence.to_bytes(6, "big")
        type_, plain = content
        if self.cid:
            plain += bytes((type_,))
            type_ = ContentType.TLS12_CID
        data = self._additional_data(type_, number, len(plain))
        return Record(type_, epoch, sequence, self.cid, number + self._aead.encrypt(self._salt + number, plain, data))

    def open(self, record: Record) -> Content | None:
        """What is in it; None where nobody who has the keys wrote it so."""
        length = len(record.fragment) - self.overhead
        if length < 0 or record.cid != self.cid or (record.type == ContentType.TLS12_CID) != bool(self.cid):
            return None
        nonce = self._salt + record.fragment[:_EXPLICIT_NONCE]
        data = self._additional_data(record.type, record.number, length)
        try:
            plain = self._aead.decrypt(nonce, record.fragment[_EXPLICIT_NONCE:], data)
        except InvalidTag:
            return None
        if not self.cid:
            return Content(record.type, plain)
        inner = plain.rstrip(b"\0")
        # Nothing but padding: the sender broke the protocol. RFC 9146, 4.
        return Content(inner[-1], inner[:-1]) if inner else None

    def _additional_data(self, type_: int, number: bytes, length: int) -> bytes:
        size = length.to_bytes(2, "big")
        if not self.cid:
            return b"".join((number, bytes((type_,)), VERSION, size))
        cid_type = bytes((ContentType.TLS12_CID,))
        return b"".join((_PLACEHOLDER, cid_type, bytes((len(self.cid),)), cid_type, VERSION, number, self.cid, size))
