"""A device's side of a DTLS 1.2 handshake with a pre-shared key. Sans-IO. RFC 6347, 4.2; RFC 4279; RFC 7627."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
from enum import IntEnum
from typing import NamedTuple

from flownexus_simulator.dtls_records import ContentType, Protection, Record, plain, prf
from flownexus_simulator.psk_keys import Psk

SUITE = 0xC0A8
"""TLS_PSK_WITH_AES_128_CCM_8, which every LwM2M server has."""

_VERSION = b"\xfe\xfd"
_EXTENDED_MASTER_SECRET, _CONNECTION_ID = 23, 54
_RANDOM_BYTES, _VERIFY_BYTES, _MASTER_BYTES = 32, 12, 48
_HEADER_BYTES = 12
_FATAL = 2


class Kind(IntEnum):
    """Messages of a handshake. RFC 5246, 7.4; RFC 6347, 4.3.2."""

    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    HELLO_VERIFY_REQUEST = 3
    SERVER_HELLO_DONE = 14
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20


class HandshakeFailed(Exception):
    """The server refused, or does what this device does not understand; a new handshake may go better."""


class _Out(NamedTuple):
    """A record of the flight under way; sealed with a new number each time it is sent."""

    type: int
    fragment: bytes
    is_protected: bool = False


class Handshake:
    """`flight` is the datagram to be sent, again and again until `receive` says that there is another; then, until
    `session` is there.
    """

    def __init__(self, psk: Psk, *, connection_ids: bool) -> None:
        self._psk, self._connection_ids = psk, connection_ids
        self._random, self._server_random = secrets.token_bytes(_RANDOM_BYTES), b""
        self._sequence, self._sent_messages, self._next = 0, 0, 0
        self._came: dict[int, bytes] = {}
        self._transcript, self._master_secret, self._server_cid = b"", b"", b""
        self._is_extended = False
        self._protection: Protection | None = None
        self._flight: list[_Out] = []
        self.session: Protection | None = None
        self._say_hello(b"")

    def flight(self) -> bytes:
        """Its records have new numbers each time."""
        return b"".join(map(self._write, self._flight))

    def receive(self, record: Record) -> bool:
        """Whether there is another flight, or the session. Raises HandshakeFailed."""
        fragment: bytes | None = record.fragment
        if record.is_protected:
            fragment = None if self._protection is None else self._protection.open(record)
        if fragment is None:
            return False
        if record.type == ContentType.ALERT and fragment[:1] == bytes((_FATAL,)):
            raise HandshakeFailed(f"alert {fragment[1] if len(fragment) > 1 else '?'}")
        if record.type != ContentType.HANDSHAKE:
            return False
        self._take(fragment, is_protected=record.is_protected)
        before = self._flight
        while (message := self._came.pop(self._next, None)) is not None:
            self._next += 1
            self._handle(message)
        return self._flight is not before or self.session is not None

    def _take(self, fragment: bytes, *, is_protected: bool) -> None:
        """Keep whole messages until it is their turn. A server needs no fragments for keys."""
        while len(fragment) >= _HEADER_BYTES:
            length, sequence = int.from_bytes(fragment[1:4], "big"), int.from_bytes(fragment[4:6], "big")
            if fragment[6:9] != bytes(3) or fragment[9:12] != fragment[1:4]:
                return
            message, fragment = fragment[: _HEADER_BYTES + length], fragment[_HEADER_BYTES + length :]
            if is_protected == (message[0] == Kind.FINISHED) and sequence >= self._next:
                self._came[sequence] = message

    def _handle(self, message: bytes) -> None:
        kind, body = message[0], message[_HEADER_BYTES:]
        if kind not in {Kind.HELLO_VERIFY_REQUEST, Kind.FINISHED}:
            self._transcript += message
        try:
            match kind:
                case Kind.HELLO_VERIFY_REQUEST:
                    self._say_hello(body[3 : 3 + body[2]])
                case Kind.SERVER_HELLO:
                    self._server_hello(body)
                case Kind.SERVER_HELLO_DONE:
                    self._show_key()
                case Kind.FINISHED:
                    self._finished(body)
        except (IndexError, struct.error) as error:
            raise HandshakeFailed(f"message {kind} is cut short") from error

    def _server_hello(self, body: bytes) -> None:
        self._server_random = body[2:34]
        at = 35 + body[34]
        if int.from_bytes(body[at : at + 2], "big") != SUITE:
            raise HandshakeFailed("another suite than was offered")
        at += 5
        while at < len(body):
            number, size = struct.unpack_from("!HH", body, at)
            data, at = body[at + 4 : at + 4 + size], at + 4 + size
            if number == _EXTENDED_MASTER_SECRET:
                self._is_extended = True
            elif number == _CONNECTION_ID:
                self._server_cid = data[1:]

    def _show_key(self) -> None:
        identity = self._psk.identity.encode()
        exchange = self._message(Kind.CLIENT_KEY_EXCHANGE, len(identity).to_bytes(2, "big") + identity)
        self._master_secret = self._derive(self._psk.key)
        self._protection = Protection(self._master_secret, self._random, self._server_random, self._server_cid)
        finished = self._message(Kind.FINISHED, self._verify_data(b"client finished"))
        self._flight = [
            _Out(ContentType.HANDSHAKE, exchange),
            _Out(ContentType.CHANGE_CIPHER_SPEC, b"\x01"),
            _Out(ContentType.HANDSHAKE, finished, is_protected=True),
        ]

    def _finished(self, body: bytes) -> None:
        if not hmac.compare_digest(body, self._verify_data(b"server finished")):
            raise HandshakeFailed("the server's Finished is of another handshake")
        self.session = self._protection

    def _say_hello(self, cookie: bytes) -> None:
        extensions = struct.pack("!HH", _EXTENDED_MASTER_SECRET, 0)
        if self._connection_ids:
            extensions += struct.pack("!HHB", _CONNECTION_ID, 1, 0)
        body = b"".join((
            _VERSION, self._random, b"\x00", bytes((len(cookie),)), cookie, struct.pack("!HH", 2, SUITE), b"\x01\x00",
            len(extensions).to_bytes(2, "big"), extensions,
        ))  # fmt: skip
        self._transcript = b""
        self._flight = [_Out(ContentType.HANDSHAKE, self._message(Kind.CLIENT_HELLO, body))]

    def _message(self, kind: Kind, body: bytes) -> bytes:
        """A message with the next number, which from then on is part of what Finished proves."""
        length = len(body).to_bytes(3, "big")
        message = bytes((kind,)) + length + self._sent_messages.to_bytes(2, "big") + bytes(3) + length + body
        self._sent_messages += 1
        self._transcript += message
        return message

    def _derive(self, key: bytes) -> bytes:
        """The master secret of a pre-shared key. RFC 4279, 2; RFC 7627, 4."""
        size = len(key).to_bytes(2, "big")
        secret = size + bytes(len(key)) + size + key
        if self._is_extended:
            seed = hashlib.sha256(self._transcript).digest()
            return prf(secret, b"extended master secret", seed, _MASTER_BYTES)
        return prf(secret, b"master secret", self._random + self._server_random, _MASTER_BYTES)

    def _verify_data(self, label: bytes) -> bytes:
        return prf(self._master_secret, label, hashlib.sha256(self._transcript).digest(), _VERIFY_BYTES)

    def _write(self, out: _Out) -> bytes:
        if out.is_protected:
            assert self._protection is not None
            return self._protection.seal(out.type, out.fragment)
        self._sequence += 1
        return plain(out.type, self._sequence - 1, out.fragment)
