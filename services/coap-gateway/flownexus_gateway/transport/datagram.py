"""One CoAP message as bytes: read and written by hand, for the hot path and for answers. Sans-IO. RFC 7252, 3."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import NamedTuple

VERSION = 1
MAX_TOKEN_BYTES = 8
PAYLOAD_MARKER = 0xFF
EMPTY = 0


class MalformedDatagram(ValueError):
    """Not a CoAP message. The message is a fixed word, to be counted by."""


class UnknownVersion(MalformedDatagram):
    """Another version of CoAP, to be ignored without an answer. RFC 7252, 3."""


class Type(IntEnum):
    """RFC 7252, 3."""

    CON = 0
    NON = 1
    ACK = 2
    RST = 3


class Option(IntEnum):
    """RFC 7252, 12.2; RFC 7641, 2; RFC 7959, 2.1. All that the gateway reads or writes."""

    URI_HOST = 3
    ETAG = 4
    OBSERVE = 6
    URI_PORT = 7
    LOCATION_PATH = 8
    URI_PATH = 11
    CONTENT_FORMAT = 12
    MAX_AGE = 14
    URI_QUERY = 15
    ACCEPT = 17
    BLOCK2 = 23
    BLOCK1 = 27
    SIZE2 = 28
    SIZE1 = 60


class Header(NamedTuple):
    """The fixed part and the token; `body` is where the options begin."""

    type: int
    code: int
    message_id: int
    token: bytes
    body: int


class Message(NamedTuple):
    """A whole message; options in order, values as they are."""

    type: int
    code: int
    message_id: int
    token: bytes
    options: Sequence[tuple[int, bytes]] = ()
    payload: bytes = b""

    def first(self, number: int) -> bytes | None:
        """The value of the first option of this number."""
        return next((value for option, value in self.options if option == number), None)

    def uint(self, number: int) -> int | None:
        """The first option of this number as a uint. RFC 7252, 3.2."""
        value = self.first(number)
        return None if value is None else int.from_bytes(value, "big")

    def texts(self, number: int) -> list[str]:
        """All options of this number as text. Raises MalformedDatagram: not UTF-8."""
        try:
            return [value.decode() for option, value in self.options if option == number]
        except UnicodeDecodeError as error:
            raise MalformedDatagram("utf-8") from error


def read_header(data: bytes) -> Header:
    """The first bytes of a datagram. Raises MalformedDatagram, UnknownVersion."""
    if len(data) < 4:
        raise MalformedDatagram("short")
    first = data[0]
    if first >> 6 != VERSION:
        raise UnknownVersion("version")
    token_end = 4 + (first & 15)
    if first & 15 > MAX_TOKEN_BYTES or len(data) < token_end:
        raise MalformedDatagram("token")
    code = data[1]
    if code == EMPTY and len(data) != 4:
        raise MalformedDatagram("empty")
    return Header((first >> 4) & 3, code, (data[2] << 8) | data[3], data[4:token_end], token_end)


def read_message(data: bytes, header: Header) -> Message:
    """The rest of a datagram whose header is read. Raises MalformedDatagram. RFC 7252, 3.1."""
    options: list[tuple[int, bytes]] = []
    number = 0
    position = header.body
    size = len(data)
    while position < size:
        byte = data[position]
        position += 1
        if byte == PAYLOAD_MARKER:
            if position == size:
                raise MalformedDatagram("payload")
            break
        delta, length = byte >> 4, byte & 15
        if delta >= 13:
            delta, position = _extended(data, position, delta)
        if length >= 13:
            length, position = _extended(data, position, length)
        number += delta
        end = position + length
        if end > size or number > 65535:
            raise MalformedDatagram("option")
        options.append((number, data[position:end]))
        position = end
    return Message(header.type, header.code, header.message_id, header.token, options, data[position:])


def write_message(message: Message) -> bytes:
    """The inverse; options are sorted by number. The token has at most 8 bytes."""
    parts = [
        bytes((VERSION << 6 | message.type << 4 | len(message.token), message.code)),
        message.message_id.to_bytes(2, "big"),
        message.token,
    ]
    number = 0
    for option, value in sorted(message.options, key=lambda pair: pair[0]):
        delta, delta_more = _nibble(option - number)
        length, length_more = _nibble(len(value))
        parts += (bytes((delta << 4 | length,)), delta_more, length_more, value)
        number = option
    if message.payload:
        parts += (b"\xff", message.payload)
    return b"".join(parts)


def empty(type_: Type, message_id: int) -> bytes:
    """An empty acknowledgement or reset. RFC 7252, 4.2."""
    return bytes((VERSION << 6 | type_ << 4, EMPTY, message_id >> 8, message_id & 0xFF))


def uint(value: int) -> bytes:
    """The shortest bytes of a uint option. RFC 7252, 3.2."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def code_text(code: int) -> str:
    """`2.05` for 0x45."""
    return f"{code >> 5}.{code & 31:02d}"


def diagnostic_text(payload: bytes) -> str | None:
    """A diagnostic payload as text; None where there is none. RFC 7252, 5.5.2."""
    # A NUL is nothing that PostgreSQL can store.
    return payload.decode(errors="replace").replace("\x00", "\ufffd")[:500] or None


def _extended(data: bytes, position: int, nibble: int) -> tuple[int, int]:
    if nibble == 13 and position < len(data):
        return data[position] + 13, position + 1
    if nibble == 14 and position + 1 < len(data):
        return (data[position] << 8 | data[position + 1]) + 269, position + 2
    raise MalformedDatagram("option")


def _nibble(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    return 14, (value - 269).to_bytes(2, "big")
