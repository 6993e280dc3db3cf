"""Records with a connection id, translated during a handshake for OpenSSL, which does not know them. Sans-IO.

RFC 9146.
"""

from __future__ import annotations

from flownexus_gateway.transport.dtls.record_protection import Content, Protection
from flownexus_gateway.transport.dtls.records import ContentType, Record
from flownexus_gateway.transport.dtls.suites import Suite, TrafficKeys


class Translation:
    """Of one session. `read` is what protects records of the device, `write` what protects ours.

    What is sealed anew for OpenSSL has the nonce of the record that it stands for, and never leaves this process.
    """

    def __init__(self, suite: Suite, read: TrafficKeys, write: TrafficKeys, read_cid: bytes, write_cid: bytes) -> None:
        self._read, self._read_plain = Protection(suite, read, read_cid), Protection(suite, read, b"")
        self._write, self._write_plain = Protection(suite, write, write_cid), Protection(suite, write, b"")

    def open(self, record: Record) -> Content | None:
        """What a record of the device holds; None where it is forged."""
        return self._read.open(record)

    def for_openssl(self, record: Record, content: Content) -> Record:
        """The record as it were without a connection id."""
        return self._read_plain.seal(record.epoch, record.sequence, content)

    def for_device(self, record: Record) -> Record:
        """A record of OpenSSL's with the connection id that the device wants."""
        content = self._write_plain.open(record)
        if content is None:
            raise RuntimeError(f"a record of OpenSSL's, type {ContentType(record.type)!r}, does not open")
        return self._write.seal(record.epoch, record.sequence, content)
