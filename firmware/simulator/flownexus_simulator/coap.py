"""CoAP messages as bytes. RFC 7252, 3."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

PAYLOAD_MARKER = 0xFF


class MalformedMessage(ValueError):
    """A datagram that is no CoAP message: it is ignored."""


class Type(IntEnum):
    """Message types. RFC 7252, 3."""

    CON = 0
    NON = 1
    ACK = 2
    RST = 3


class Code(IntEnum):
    """Request methods and response codes; `class << 5 | detail`."""

    EMPTY = 0
    GET = 0x01
    POST = 0x02
    PUT = 0x03
    DELETE = 0x04
    FETCH = 0x05
    IPATCH = 0x07
    CREATED = 0x41
    DELETED = 0x42
    CHANGED = 0x44
    CONTENT = 0x45
    CONTINUE = 0x5F
    BAD_REQUEST = 0x80
    BAD_OPTION = 0x82
    UNAUTHORIZED = 0x81
    NOT_FOUND = 0x84
    METHOD_NOT_ALLOWED = 0x85
    NOT_ACCEPTABLE = 0x86
    REQUEST_ENTITY_INCOMPLETE = 0x88
    REQUEST_ENTITY_TOO_LARGE = 0x8D
    UNSUPPORTED_CONTENT_FORMAT = 0x8F
    INTERNAL_SERVER_ERROR = 0xA0


class Option(IntEnum):
    """Option numbers. RFC 7252, 12.2; RFC 7641; RFC 7959, 6."""

    ETAG = 4
    OBSERVE = 6
    LOCATION_PATH = 8
    URI_PATH = 11
    CONTENT_FORMAT = 12
    URI_QUERY = 15
    ACCEPT = 17
    BLOCK2 = 23
    BLOCK1 = 27
    SIZE2 = 28
    SIZE1 = 60


class Message(NamedTuple):
    """One CoAP message. `options` are ordered by number when it is written."""

    type: int
    code: int
    mid: int
    token: bytes = b""
    options: tuple[tuple[int, bytes], ...] = ()
    payload: bytes = b""

    @property
    def is_request(self) -> bool:
        """Whether the code is a method."""
        return 0 < self.code < 0x20

    @property
    def is_response(self) -> bool:
        """Whether the code is a response code."""
        return self.code >= 0x40

    def texts(self, number: int) -> list[str]:
        """The values of a text option, in order. Raises MalformedMessage if one is not UTF-8."""
        try:
            return [value.decode() for option, value in self.options if option == number]
        except UnicodeDecodeError as error:
            raise MalformedMessage("a text option is not UTF-8") from error

    def number(self, number: int) -> int | None:
        """The value of an unsigned option; None if it is not there."""
        for option, value in self.options:
            if option == number:
                return int.from_bytes(value, "big")
        return None


def unsigned(value: int) -> bytes:
    """An unsigned option value in as few bytes as it takes. RFC 7252, 3.2."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def code_text(code: int) -> str:
    """`4.04`."""
    return f"{code >> 5}.{code & 0x1F:02}"


def encode(message: Message) -> bytes:
    """The datagram of a message."""
    out = bytearray((0x40 | message.type << 4 | len(message.token), message.code))
    out += message.mid.to_bytes(2, "big")
    out += message.token
    previous = 0
    for number, value in sorted(message.options, key=lambda option: option[0]):
        delta, delta_more = _nibble(number - previous)
        length, length_more = _nibble(len(value))
        out.append(delta << 4 | length)
        out += delta_more
        out += length_more
        out += value
        previous = number
    if message.payload:
        out.append(PAYLOAD_MARKER)
        out += message.payload
    return bytes(out)


def decode(datagram: bytes) -> Message:
    """The message of a datagram. Raises MalformedMessage."""
    if len(datagram) < 4 or datagram[0] >> 6 != 1:
        raise MalformedMessage("no CoAP version 1 header")
    token_length = datagram[0] & 0x0F
    position = 4 + token_length
    if token_length > 8 or position > len(datagram):
        raise MalformedMessage("token is cut short or too long")
    options: list[tuple[int, bytes]] = []
    number = 0
    payload = b""
    while position < len(datagram):
        first = datagram[position]
        position += 1
        if first == PAYLOAD_MARKER:
            payload = datagram[position:]
            if not payload:
                raise MalformedMessage("payload marker without payload")
            break
        delta, position = _extended(first >> 4, datagram, position)
        length, position = _extended(first & 0x0F, datagram, position)
        if position + length > len(datagram):
            raise MalformedMessage("option is cut short")
        number += delta
        options.append((number, datagram[position : position + length]))
        position += length
    return Message(
        type=datagram[0] >> 4 & 0x03,
        code=datagram[1],
        mid=int.from_bytes(datagram[2:4], "big"),
        token=datagram[4 : 4 + token_length],
        options=tuple(options),
        payload=payload,
    )


def _nibble(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes((value - 13,))
    return 14, (value - 269).to_bytes(2, "big")


def _extended(nibble: int, datagram: bytes, position: int) -> tuple[int, int]:
    if nibble < 13:
        return nibble, position
    if nibble == 15:
        raise MalformedMessage("reserved option nibble")
    size = nibble - 12
    if position + size > len(datagram):
        raise MalformedMessage("option header is cut short")
    more = int.from_bytes(datagram[position : position + size], "big")
    return more + (13 if size == 1 else 269), position + size
