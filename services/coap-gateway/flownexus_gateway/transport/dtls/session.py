"""A session reduced to its keys and counters: all that an association needs once its handshake is over. Sans-IO.

Only epoch 1: there is no renegotiation.
"""

from __future__ import annotations

from typing import NamedTuple

from flownexus_gateway.transport.dtls.record_protection import Content, Protection
from flownexus_gateway.transport.dtls.records import ContentType, Record
from flownexus_gateway.transport.dtls.replay_window import ReplayWindow
from flownexus_gateway.transport.dtls.suites import SUITES, TrafficKeys

EPOCH = 1
MAX_SEQUENCE = (1 << 48) - 1
"""After the last one a session is at its end: numbers never begin anew. RFC 6347, 4.1."""

CLOSE_NOTIFY, NO_RENEGOTIATION, ACCESS_DENIED = 0, 100, 49
WARNING, FATAL = 1, 2


class SessionKeys(NamedTuple):
    """What the two ends agreed on. `read_cid` is ours, `write_cid` theirs; empty for none. `max_plain_bytes`: what the
    device takes in one record (RFC 6066, 4).
    """

    suite: int
    read: TrafficKeys
    write: TrafficKeys
    read_cid: bytes
    write_cid: bytes
    max_plain_bytes: int


class Opened(NamedTuple):
    """An authenticated record. `is_newest`: no record with a higher number came before it."""

    type: int
    content: bytes
    is_newest: bool


class Session:
    """Opens what the device sends, and seals what it is sent.

    `next_write` is the next sequence number, and `write_limit` the first that may not be used: those up to it are
    reserved for this process alone, so that none is used twice after a crash.
    """

    __slots__ = ("_read", "_write", "keys", "next_write", "window", "write_limit")

    def __init__(
        self, keys: SessionKeys, next_write: int, window: ReplayWindow, write_limit: int = MAX_SEQUENCE
    ) -> None:
        suite = SUITES[keys.suite]
        self.keys, self.window = keys, window
        self.next_write, self.write_limit = next_write, write_limit
        self._read = Protection(suite, keys.read, keys.read_cid)
        self._write = Protection(suite, keys.write, keys.write_cid)

    def is_new(self, record: Record) -> bool:
        """Whether `open` would open it; nothing is noted."""
        is_new = record.epoch == EPOCH and self.window.may_be_new(record.sequence)
        return is_new and self._read.open(record) is not None

    def open(self, record: Record) -> Opened | None:
        """What is in a record; None for one that came before, or that nobody who has the keys wrote."""
        if record.epoch != EPOCH or not self.window.may_be_new(record.sequence):
            return None
        content = self._read.open(record)
        if content is None:
            return None
        return Opened(*content, self.window.take(record.sequence))

    def seal(self, type_: int, content: bytes) -> bytes | None:
        """A record as it is sent; None where no sequence number is left that this process may use."""
        if self.next_write >= self.write_limit:
            return None
        record = self._write.seal(EPOCH, self.next_write, Content(type_, content))
        self.next_write += 1
        return record.write()

    def alert(self, level: int, description: int) -> bytes | None:
        """A sealed alert. RFC 5246, 7.2."""
        return self.seal(ContentType.ALERT, bytes((level, description)))
