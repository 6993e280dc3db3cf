"""ClientHello, as far as it is to be known before there is any state. Sans-IO. RFC 6347, 4.2; RFC 5246, 7.4.1.2."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_gateway.transport.dtls.records import ContentType, Record

CLIENT_HELLO, HELLO_VERIFY_REQUEST = 1, 3
_HANDSHAKE_HEADER = 12
_RANDOM_BYTES = 32
_MAX_FRAGMENT_LENGTH, _CONNECTION_ID = 1, 54
_DTLS_1_0 = b"\xfe\xff"


class Malformed(ValueError):
    """Not a ClientHello in one fragment."""


class ClientHello(NamedTuple):
    """One ClientHello. `parameters`: what a cookie is bound to beside the address. `connection_id`: what the client
    wants in records to it, None where it does not know connection ids. `max_plain_bytes`: RFC 6066, 4.
    """

    random: bytes
    cookie: bytes
    suites: tuple[int, ...]
    parameters: bytes
    connection_id: bytes | None
    max_plain_bytes: int


def is_client_hello(record: Record) -> bool:
    return record.type == ContentType.HANDSHAKE and record.epoch == 0 and record.fragment[:1] == b"\x01"


def read_client_hello(record: Record) -> ClientHello:
    """Raises Malformed; one in several fragments is not taken, as nothing is kept before the cookie."""
    reader = _Reader(record.fragment)
    kind, length = reader.uint(1), reader.uint(3)
    _, offset, fragment_length = reader.uint(2), reader.uint(3), reader.uint(3)
    if kind != CLIENT_HELLO or offset or fragment_length != length or reader.left != length:
        raise Malformed("fragment")
    version, random = reader.take(2), reader.take(_RANDOM_BYTES)
    session_id = reader.vector(1)
    cookie = reader.vector(1)
    suites, compression = reader.vector(2), reader.vector(1)
    if len(suites) % 2:
        raise Malformed("suites")
    extensions = _extensions(reader.vector(2)) if reader.left else {}
    if reader.left:
        raise Malformed("length")
    return ClientHello(
        random,
        cookie,
        tuple(int.from_bytes(suites[at : at + 2], "big") for at in range(0, len(suites), 2)),
        b"".join((version, random, session_id, suites, compression)),
        _connection_id(extensions.get(_CONNECTION_ID)),
        _max_plain_bytes(extensions.get(_MAX_FRAGMENT_LENGTH)),
    )


def hello_verify_request(answered: Record, cookie: bytes) -> bytes:
    """The answer to a ClientHello without a cookie, as DTLS 1.0 whatever is agreed on later. RFC 6347, 4.2.1."""
    body = b"".join((_DTLS_1_0, bytes((len(cookie),)), cookie))
    length = len(body).to_bytes(3, "big")
    message = b"".join((bytes((HELLO_VERIFY_REQUEST,)), length, bytes(5), length, body))
    size = len(message).to_bytes(2, "big")
    return b"".join((bytes((ContentType.HANDSHAKE,)), _DTLS_1_0, answered.number, size, message))


def _extensions(data: bytes) -> dict[int, bytes]:
    reader, found = _Reader(data), {}
    while reader.left:
        number = reader.uint(2)
        found[number] = reader.vector(2)
    return found


def _connection_id(data: bytes | None) -> bytes | None:
    """RFC 9146, 3."""
    if data is None:
        return None
    if not data or data[0] != len(data) - 1:
        raise Malformed("connection id")
    return data[1:]


def _max_plain_bytes(data: bytes | None) -> int:
    code = data[0] if data is not None and len(data) == 1 else 0
    return 1 << code + 8 if 1 <= code <= 4 else 1 << 14


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise Malformed("short")
        self._at += length
        return self._data[self._at - length : self._at]

    def uint(self, length: int) -> int:
        return int.from_bytes(self.take(length), "big")

    def vector(self, length_bytes: int) -> bytes:
        return self.take(self.uint(length_bytes))
