"""A DTLS 1.2 client with a pre-shared key, and a connection id where it is told so. Every byte is put together here, by
hand, with nothing of our own record layer: RFC 6347, RFC 4279, RFC 6655, RFC 5487, RFC 7627, RFC 9146.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Callable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

CCM_8, CCM, GCM = 0xC0A8, 0xC0A4, 0x00A8
CHANGE_CIPHER_SPEC, ALERT, HANDSHAKE, APPLICATION_DATA, TLS12_CID = 20, 21, 22, 23, 25
CLIENT_HELLO, SERVER_HELLO, HELLO_VERIFY_REQUEST, KEY_EXCHANGE, FINISHED = 1, 2, 3, 16, 20
FIRST_TIMEOUT_S = 0.2

Transmit = Callable[[bytes], None]
Receive = Callable[[float], bytes | None]
"""The next datagram within so many seconds; None where none came."""


class Alerted(AssertionError):
    """The server sent a fatal alert, `description`."""

    def __init__(self, description: int) -> None:
        super().__init__(f"alert {description}")
        self.description = description


class NoHandshake(AssertionError):
    """It was not done in time."""


def prf(secret: bytes, label: bytes, seed: bytes, size: int) -> bytes:
    a = seed = label + seed
    out = b""
    while len(out) < size:
        a = hmac.new(secret, a, hashlib.sha256).digest()
        out += hmac.new(secret, a + seed, hashlib.sha256).digest()
    return out[:size]


def record(type_: int, epoch: int, sequence: int, body: bytes, version: int = 0xFEFD) -> bytes:
    return struct.pack("!BHHHIH", type_, version, epoch, sequence >> 32, sequence & 0xFFFFFFFF, len(body)) + body


def message(type_: int, sequence: int, body: bytes) -> bytes:
    size = len(body).to_bytes(3, "big")
    return bytes([type_]) + size + sequence.to_bytes(2, "big") + b"\0\0\0" + size + body


class DtlsClient:
    """`cid` is what it wants in records to itself; None: it does not know connection ids."""

    def __init__(  # noqa: PLR0917 - as a device is set up
        self, transmit: Transmit, receive: Receive, identity: bytes, key: bytes, suite: int = CCM_8,
        cid: bytes | None = None,
    ) -> None:  # fmt: skip
        self.transmit, self.receive_datagram = transmit, receive
        self.identity, self.key, self.suite, self.cid = identity, key, suite, cid
        self.server_cid, self.uses_cid = b"", False
        self.random = secrets.token_bytes(32)
        self.plain_sequence, self.sequence = 0, 0
        self.transcript = b""
        self.server_numbers: list[bytes] = []
        """Nonces of the server's protected records, in the order in which they came."""

    # The handshake, flight by flight; each is sent again until its answer is whole.

    def handshake(self, timeout_s: float = 10) -> None:
        """Raises Alerted, NoHandshake."""
        deadline = time.monotonic() + timeout_s
        verify = self._flight(lambda: self.send_hello(0, b""), {HELLO_VERIFY_REQUEST}, deadline)
        cookie = verify[HELLO_VERIFY_REQUEST][3:]
        hello = self.hello_message(1, cookie)
        answer = self._flight(lambda: self.send_hello(1, cookie), {SERVER_HELLO, 14}, deadline)
        self.transcript = hello + self._messages[SERVER_HELLO] + self._messages[14]
        self.read_server_hello(answer[SERVER_HELLO])
        exchange = message(KEY_EXCHANGE, 2, struct.pack("!H", len(self.identity)) + self.identity)
        self.transcript += exchange
        self.derive()
        finished = message(FINISHED, 3, self.verify_data(b"client finished"))
        expected = self.verify_data(b"server finished", self.transcript + finished)

        def last_flight() -> None:
            self.transmit(self.plain(HANDSHAKE, exchange))
            self.transmit(self.plain(CHANGE_CIPHER_SPEC, b"\1"))
            self.transmit(self.seal(HANDSHAKE, finished))

        assert self._flight(last_flight, {FINISHED}, deadline)[FINISHED] == expected, "the server's Finished"

    def send_hello(self, sequence: int, cookie: bytes) -> None:
        self.transmit(self.plain(HANDSHAKE, self.hello_message(sequence, cookie)))

    def hello_message(self, sequence: int, cookie: bytes) -> bytes:
        extensions = b"\x00\x17\x00\x00"
        if self.cid is not None:
            extensions += struct.pack("!HHB", 54, len(self.cid) + 1, len(self.cid)) + self.cid
        body = b"\xfe\xfd" + self.random + b"\0" + bytes([len(cookie)]) + cookie
        body += struct.pack("!HH", 2, self.suite) + b"\1\0" + struct.pack("!H", len(extensions)) + extensions
        return message(CLIENT_HELLO, sequence, body)

    def read_server_hello(self, body: bytes) -> None:
        self.server_random = body[2:34]
        at = 35 + body[34]
        assert int.from_bytes(body[at : at + 2], "big") == self.suite
        at += 5
        self.extended = False
        while at < len(body):
            number, size = struct.unpack("!HH", body[at : at + 4])
            data = body[at + 4 : at + 4 + size]
            at += 4 + size
            if number == 54:
                self.server_cid, self.uses_cid = data[1:], True
            self.extended |= number == 23

    def derive(self) -> None:
        zeros = struct.pack("!H", len(self.key)) + bytes(len(self.key))
        secret = zeros + struct.pack("!H", len(self.key)) + self.key
        if self.extended:
            self.master = prf(secret, b"extended master secret", hashlib.sha256(self.transcript).digest(), 48)
        else:
            self.master = prf(secret, b"master secret", self.random + self.server_random, 48)
        block = prf(self.master, b"key expansion", self.server_random + self.random, 40)
        self.write_key, self.read_key = self._aead(block[:16]), self._aead(block[16:32])
        self.write_salt, self.read_salt = block[32:36], block[36:]

    def verify_data(self, label: bytes, transcript: bytes | None = None) -> bytes:
        return prf(self.master, label, hashlib.sha256(transcript or self.transcript).digest(), 12)

    # Records.

    def plain(self, type_: int, body: bytes) -> bytes:
        self.plain_sequence += 1
        return record(type_, 0, self.plain_sequence - 1, body)

    def seal(self, type_: int, content: bytes, sequence: int | None = None, padding: int = 0) -> bytes:
        """A protected record; `sequence` to use a number again."""
        if sequence is None:
            sequence, self.sequence = self.sequence, self.sequence + 1
        number = b"\0\1" + sequence.to_bytes(6, "big")
        if self.server_cid:
            content += bytes([type_]) + bytes(padding)
            aad = b"\xff" * 8 + bytes([25, len(self.server_cid), 25, 0xFE, 0xFD]) + number + self.server_cid
            aad += struct.pack("!H", len(content))
            body = number + self.write_key.encrypt(self.write_salt + number, content, aad)
            return b"\x19\xfe\xfd" + number + self.server_cid + struct.pack("!H", len(body)) + body
        aad = number + bytes([type_, 0xFE, 0xFD]) + struct.pack("!H", len(content))
        body = number + self.write_key.encrypt(self.write_salt + number, content, aad)
        return bytes([type_, 0xFE, 0xFD]) + number + struct.pack("!H", len(body)) + body

    def open(self, datagram: bytes) -> list[tuple[int, bytes]]:
        """Type and content of each record, also of those without protection."""
        found, at = [], 0
        while at < len(datagram):
            type_, number = datagram[at], datagram[at + 3 : at + 11]
            cid = (self.cid or b"") if type_ == TLS12_CID else b""
            begin = at + 13 + len(cid)
            assert datagram[at + 11 : begin - 2] == cid, "a connection id that is not ours"
            at = begin + int.from_bytes(datagram[begin - 2 : begin], "big")
            body = datagram[begin:at]
            if number[:2] == b"\0\0":
                found.append((type_, body))
                continue
            assert bool(cid) == (self.uses_cid and bool(self.cid)), "a connection id where it was agreed on"
            self.server_numbers.append(body[:8])
            size = len(body) - 8 - (8 if self.suite == CCM_8 else 16)
            aad = number + bytes([type_, 0xFE, 0xFD]) + struct.pack("!H", size)
            if cid:
                aad = b"\xff" * 8 + bytes([25, len(cid), 25, 0xFE, 0xFD]) + number + cid + struct.pack("!H", size)
            try:
                content = self.read_key.decrypt(self.read_salt + body[:8], body[8:], aad)
            except InvalidTag as error:
                raise AssertionError("the server's record does not open") from error
            if cid:
                content = content.rstrip(b"\0")
                type_, content = content[-1], content[:-1]
            found.append((type_, content))
        return found

    # Data.

    def send(self, data: bytes) -> None:
        self.transmit(self.seal(APPLICATION_DATA, data))

    def receive(self, timeout_s: float) -> bytes | None:
        """The next data of the server; None where none came. Raises Alerted at a fatal alert."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            datagram = self.receive_datagram(left)
            for type_, content in self.open(datagram) if datagram else ():
                if type_ == ALERT and content[0] == 2:
                    raise Alerted(content[1])
                if type_ == APPLICATION_DATA:
                    return content
        return None

    def close(self) -> None:
        """close_notify."""
        self.transmit(self.seal(ALERT, b"\1\0"))

    def _aead(self, key: bytes) -> AESCCM | AESGCM:
        return AESGCM(key) if self.suite == GCM else AESCCM(key, 8 if self.suite == CCM_8 else 16)

    def _flight(self, send: Callable[[], None], wanted: set[int], deadline: float) -> dict[int, bytes]:
        """Send until all these messages came; their bodies. The whole messages are in `_messages`."""
        self._messages: dict[int, bytes] = {}
        timeout_s = FIRST_TIMEOUT_S
        while time.monotonic() < deadline:
            send()
            until = time.monotonic() + timeout_s
            timeout_s *= 2
            while (left := until - time.monotonic()) > 0:
                datagram = self.receive_datagram(left)
                for type_, body in self.open(datagram) if datagram else ():
                    if type_ == ALERT and body[0] == 2:
                        raise Alerted(body[1])
                    if type_ == HANDSHAKE:
                        self._messages[body[0]] = body
                if wanted <= self._messages.keys():
                    return {kind: whole[12:] for kind, whole in self._messages.items()}
        raise NoHandshake(f"{wanted} did not come")
