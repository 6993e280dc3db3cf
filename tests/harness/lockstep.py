"""A device that does what the test says, one datagram at a time. Every byte is put together here, by hand: nothing of
our codecs, so that a mistake cannot hide in both directions.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

CON, NON, ACK, RST = range(4)
GET, POST, PUT, DELETE, FETCH, IPATCH = 0x01, 0x02, 0x03, 0x04, 0x05, 0x07
CREATED, DELETED, CHANGED, CONTENT = 0x41, 0x42, 0x44, 0x45
BAD_REQUEST, NOT_FOUND, METHOD_NOT_ALLOWED, PRECONDITION_FAILED = 0x80, 0x84, 0x85, 0x8C
UNSUPPORTED_FORMAT = 0x8F

OBSERVE, LOCATION_PATH, URI_PATH, CONTENT_FORMAT, URI_QUERY, ACCEPT = 6, 8, 11, 12, 15, 17
BLOCK2, BLOCK1 = 23, 27

TEXT, LINK_FORMAT, SENML_JSON, SENML_CBOR, TLV = 0, 40, 110, 112, 11542

Options = Sequence[tuple[int, bytes]]


class Heard(NamedTuple):
    """One datagram from the server, taken apart."""

    type: int
    code: int
    message_id: int
    token: bytes
    options: list[tuple[int, bytes]]
    payload: bytes

    def all(self, number: int) -> list[bytes]:
        return [value for option, value in self.options if option == number]

    def path(self) -> str:
        return "/".join(value.decode() for value in self.all(URI_PATH))

    def location(self) -> str:
        return "/".join(value.decode() for value in self.all(LOCATION_PATH))

    def number(self, option: int) -> int | None:
        values = self.all(option)
        return int.from_bytes(values[0], "big") if values else None


class Silence(AssertionError):
    """The server sent nothing in time."""


def datagram(  # noqa: PLR0917 - the fields in the order of the wire
    type_: int, code: int, message_id: int, token: bytes = b"", options: Options = (), payload: bytes = b""
) -> bytes:
    """A CoAP message. RFC 7252, 3."""
    out = bytearray([0x40 | type_ << 4 | len(token), code, message_id >> 8, message_id & 0xFF])
    out += token
    last = 0
    for number, value in sorted(options, key=lambda option: option[0]):
        parts = [number - last, len(value)]
        extra = b""
        for index, part in enumerate(parts):
            if part >= 269:
                parts[index], extra = 14, extra + (part - 269).to_bytes(2, "big")
            elif part >= 13:
                parts[index], extra = 13, extra + bytes([part - 13])
        out += bytes([parts[0] << 4 | parts[1]]) + extra + value
        last = number
    if payload:
        out += b"\xff" + payload
    return bytes(out)


def parse(data: bytes) -> Heard:
    """The inverse, for what the server sends."""
    assert data[0] >> 6 == 1, "CoAP version 1"
    size = data[0] & 15
    options: list[tuple[int, bytes]] = []
    position, number = 4 + size, 0
    while position < len(data) and data[position] != 0xFF:
        nibbles = [data[position] >> 4, data[position] & 15]
        position += 1
        for index, nibble in enumerate(nibbles):
            if nibble == 13:
                nibbles[index], position = data[position] + 13, position + 1
            elif nibble == 14:
                nibbles[index] = int.from_bytes(data[position : position + 2], "big") + 269
                position += 2
        number += nibbles[0]
        options.append((number, data[position : position + nibbles[1]]))
        position += nibbles[1]
    return Heard((data[0] >> 4) & 3, data[1], data[2] << 8 | data[3], data[4 : 4 + size], options, data[position + 1 :])


def uint(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


class LockstepDevice:
    """A client on a port of its own. `timeout_s` bounds each wait for the server."""

    def __init__(self, port: int, endpoint: str, host: str = "127.0.0.1", timeout_s: float = 5.0) -> None:
        self.server = (host, port)
        self.family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.endpoint, self.timeout_s = endpoint, timeout_s
        self.message_ids = itertools.count(1000)
        self.location = ""
        self.on_request: Callable[[Heard], None] | None = None
        self._socket = self._open()

    def _open(self) -> socket.socket:
        sock = socket.socket(self.family, socket.SOCK_DGRAM)
        sock.bind(("::1" if self.family == socket.AF_INET6 else "127.0.0.1", 0))
        return sock

    @property
    def port(self) -> int:
        port: int = self._socket.getsockname()[1]
        return port

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> LockstepDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def move(self) -> None:
        """Another port, as after a NAT forgot the first."""
        self._socket.close()
        self._socket = self._open()

    def send(self, data: bytes) -> None:
        self._socket.sendto(data, self.server)

    def receive(self, timeout_s: float | None = None) -> Heard:
        """The next datagram. Raises Silence."""
        self._socket.settimeout(self.timeout_s if timeout_s is None else timeout_s)
        try:
            return parse(self._socket.recv(65535))
        except TimeoutError as error:
            raise Silence("the server sent nothing") from error

    def exchange(self, data: bytes, timeout_s: float | None = None) -> Heard:
        """Send, and wait for what has the same message id; requests in between go to `on_request`, no more is taken."""
        self.send(data)
        heard = self.receive(timeout_s)
        while self.on_request is not None and heard.type in {CON, NON} and GET <= heard.code <= IPATCH:
            self.on_request(heard)
            heard = self.receive(timeout_s)
        assert heard.message_id == int.from_bytes(data[2:4], "big"), heard
        return heard

    def register(
        self,
        links: str,
        *queries: str,
        version: str = "1.1",
        lifetime: int | None = 300,
        content_format: int | None = LINK_FORMAT,
        message_id: int | None = None,
        token: bytes = b"\x01\x02",
    ) -> Heard:
        """Register; keeps the location."""
        heard = self.exchange(
            self.register_datagram(
                links,
                *queries,
                version=version,
                lifetime=lifetime,
                content_format=content_format,
                message_id=next(self.message_ids) if message_id is None else message_id,
                token=token,
            )
        )
        self.location = heard.location()
        return heard

    def register_datagram(
        self,
        links: str,
        *queries: str,
        version: str = "1.1",
        lifetime: int | None = 300,
        content_format: int | None = LINK_FORMAT,
        message_id: int,
        token: bytes = b"\x01\x02",
    ) -> bytes:
        stated = [f"lwm2m={version}", f"ep={self.endpoint}"]
        if lifetime is not None:
            stated.append(f"lt={lifetime}")
        options = [(URI_PATH, b"rd"), *((URI_QUERY, query.encode()) for query in (*stated, *queries))]
        if content_format is not None:
            options.append((CONTENT_FORMAT, uint(content_format)))
        return datagram(CON, POST, message_id, token, options, links.encode())

    def update(self, *queries: str, links: str = "", message_id: int | None = None, token: bytes = b"\x03") -> Heard:
        options = [(URI_PATH, part.encode()) for part in self.location.split("/")]
        options += [(URI_QUERY, query.encode()) for query in queries]
        number = next(self.message_ids) if message_id is None else message_id
        return self.exchange(datagram(CON, POST, number, token, options, links.encode()))

    def deregister(self) -> Heard:
        options = [(URI_PATH, part.encode()) for part in self.location.split("/")]
        return self.exchange(datagram(CON, DELETE, next(self.message_ids), b"\x04", options))

    def expect_request(self, code: int, path: str, timeout_s: float | None = None) -> Heard:
        """The next datagram is this request."""
        heard = self.receive(timeout_s)
        assert (heard.type, heard.code, heard.path()) == (CON, code, path), heard
        return heard

    def answer(
        self,
        request: Heard,
        code: int = CONTENT,
        payload: bytes = b"",
        content_format: int | None = None,
        observe: int | None = None,
    ) -> None:
        """The answer on the acknowledgement."""
        options: list[tuple[int, bytes]] = []
        if observe is not None:
            options.append((OBSERVE, uint(observe)))
        if content_format is not None:
            options.append((CONTENT_FORMAT, uint(content_format)))
        self.send(datagram(ACK, code, request.message_id, request.token, options, payload))

    def notification(
        self,
        token: bytes,
        sequence: int | None,
        payload: bytes,
        content_format: int | None = TLV,
        *,
        type_: int = CON,
        code: int = CONTENT,
        message_id: int | None = None,
    ) -> bytes:
        options: list[tuple[int, bytes]] = []
        if sequence is not None:
            options.append((OBSERVE, uint(sequence)))
        if content_format is not None:
            options.append((CONTENT_FORMAT, uint(content_format)))
        number = next(self.message_ids) if message_id is None else message_id
        return datagram(type_, code, number, token, options, payload)
