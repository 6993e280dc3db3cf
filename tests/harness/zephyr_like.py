"""A device that behaves as Zephyr's client does, by itself: it registers, answers, notifies, fetches, restarts.

Its bytes are put together by hand.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import cbor2

from harness.lockstep import (
    ACCEPT,
    ACK,
    BLOCK1,
    BLOCK2,
    CHANGED,
    CON,
    CONTENT,
    CONTENT_FORMAT,
    CREATED,
    GET,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OBSERVE,
    POST,
    PUT,
    RST,
    SENML_CBOR,
    UNSUPPORTED_FORMAT,
    URI_PATH,
    URI_QUERY,
    Heard,
    Options,
    datagram,
    parse,
    uint,
)
from harness.zephyr_firmware import SIZE_512, Restarts, ZephyrFirmware

FIRST_MESSAGE_ID, TOKEN, PULL_TOKEN = 1000, b"\x01\x02\x03\x04\x05\x06\x07\x08", b"\x0f" * 8
LINKS = "</>;ct=112,</1>;ver=1.1,</1/0>,</3>;ver=1.0,</3/0>,</5>;ver=1.0,</5/0>"
ACK_TIMEOUT_S, MAX_RETRANSMIT = 2.0, 4
SIZE2 = 28
LOOK_S = 0.02


class ZephyrLike:
    """`boots` counts its starts, `firmware` is object 5. It lives until the end of the block."""

    def __init__(
        self,
        port: int,
        endpoint: str,
        *,
        version: str = "1.0.0",
        restart_at: float | None = None,
        update_s: float = 5.0,
    ) -> None:
        self.endpoint, self._server, self._update_s = endpoint, ("127.0.0.1", port), update_s
        self.firmware = ZephyrFirmware(version, self._changed, restart_at)
        self.boots = 0
        self.failure: BaseException | None = None
        self._lock = threading.RLock()
        self._stop, self._restart = threading.Event(), threading.Event()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(LOOK_S)
        self._observed: dict[str, bytes] = {}
        self._unacknowledged: dict[int, tuple[bytes, float, int]] = {}
        self._message_id = FIRST_MESSAGE_ID
        self._sequence = 0
        self._location = ""
        self._due = 0.0
        self._install_at: float | None = None

    @contextmanager
    def running(self) -> Iterator[ZephyrLike]:
        """Switch it on; AssertionError at the end where it failed."""
        thread = threading.Thread(target=self._live, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join(10)
            self._socket.close()
        assert self.failure is None, repr(self.failure)

    def restart(self) -> None:
        """Switch it off and on."""
        self._restart.set()

    def _live(self) -> None:
        try:
            while not self._stop.is_set():
                self._boot()
                while not self._stop.is_set() and not self._restart.is_set():
                    try:
                        self._turn()
                    except Restarts:
                        break
        except BaseException as error:
            self.failure = error

    def _boot(self) -> None:
        """The same port, message ids and tokens as the last time; nothing of what came before is known."""
        with self._lock:
            self._restart.clear()
            self.boots += 1
            self._observed.clear()
            self._unacknowledged.clear()
            self._message_id, self._location, self._install_at = FIRST_MESSAGE_ID, "", None
            self.firmware.forget()
        while True:
            try:
                self._socket.recv(65535)
            except TimeoutError:
                break
        queries = [b"lwm2m=1.1", b"ep=" + self.endpoint.encode(), b"lt=30", b"b=U"]
        options = [(URI_PATH, b"rd"), (CONTENT_FORMAT, uint(40)), *((URI_QUERY, query) for query in queries)]
        self._ask(POST, TOKEN, options, LINKS.encode())

    def _turn(self) -> None:
        """What comes, or what is due."""
        now = time.monotonic()
        if self._install_at is not None and now >= self._install_at:
            raise Restarts
        if self._location and now >= self._due:
            self._due = now + self._update_s
            self._ask(POST, TOKEN, [(URI_PATH, part.encode()) for part in self._location.split("/")])
        self._retransmit(now)
        try:
            heard = parse(self._socket.recv(65535))
        except TimeoutError:
            return
        if heard.type in {ACK, RST}:
            self._unacknowledged.pop(heard.message_id, None)
        if heard.code >> 5 >= 2:
            self._answered(heard)
        elif heard.code and heard.type == CON:
            code, options, payload = self._serve(heard)
            self._send(datagram(ACK, code, heard.message_id, heard.token, options, payload))

    def _answered(self, heard: Heard) -> None:
        if heard.code == CREATED:
            self._location = heard.location()
            self._due = time.monotonic() + self._update_s
        elif heard.code == NOT_FOUND:  # an error to Update makes it register at once
            self._location = ""
            self._restart.set()

    def _serve(self, request: Heard) -> tuple[int, Options, bytes]:
        path, accept = request.path(), request.number(ACCEPT)
        match request.code, path:
            case code, _ if code == GET and accept not in {None, SENML_CBOR}:
                return UNSUPPORTED_FORMAT, [], b""
            case code, _ if code == GET:
                return self._read(request, path)
            case code, "5/0/1" if code == PUT:
                if self.firmware.write_uri(request.payload.decode()):
                    threading.Thread(target=self._pull, args=(self.firmware.uri, self.boots), daemon=True).start()
                return CHANGED, [], b""
            case code, "5/0/0" if code == PUT:
                if (request.number(BLOCK1) or 0) >> 4 == 0:
                    self.firmware.begins()
                answer, block1 = self.firmware.write_package(request)
                return answer, [] if block1 is None else [(BLOCK1, uint(block1))], b""
            case code, "5/0/2" if code == POST:
                if not self.firmware.update():
                    return METHOD_NOT_ALLOWED, [], b""
                self._install_at = time.monotonic() + 1
                return CHANGED, [], b""
        return NOT_FOUND, [], b""

    def _read(self, request: Heard, path: str) -> tuple[int, Options, bytes]:
        payload = self._values(path)
        if payload is None:
            return NOT_FOUND, [], b""
        options = [(CONTENT_FORMAT, uint(SENML_CBOR))]
        if request.number(OBSERVE) == 0:
            self._observed[path] = request.token
            options.append((OBSERVE, b""))  # the first value of Observe is 0
        return CONTENT, options, payload

    def _values(self, path: str) -> bytes | None:
        """SenML CBOR. What was never set is not there: 5/0/6, 5/0/7 and 5/0/8."""
        firmware = self.firmware
        known: dict[str, Any] = {
            "5/0/1": firmware.uri, "5/0/3": firmware.state, "5/0/5": firmware.result, "5/0/9": 2,
            "3/0/0": "Zephyr", "3/0/3": firmware.version,
        }  # fmt: skip
        found = {name: value for name, value in known.items() if f"{name}/".startswith(f"{path}/")}
        if not found:
            return None
        records: list[dict[int, Any]] = []
        for name, value in found.items():
            record: dict[int, Any] = {0: name.rpartition("/")[2], 3 if isinstance(value, str) else 2: value}
            records.append(
                record if records else {-2: f"/{path.rpartition('/')[0] if path == name else path}/", **record}
            )
        return cbor2.dumps(records)

    def _changed(self, resource: int) -> None:
        path = f"5/0/{resource}"
        with self._lock:
            token = self._observed.get(path)
            payload = self._values(path)
            if token is None or payload is None:
                return
            self._sequence += 1
            options = [(OBSERVE, uint(self._sequence)), (CONTENT_FORMAT, uint(SENML_CBOR))]
            self._confirmable(CONTENT, token, options, payload)

    def _ask(self, code: int, token: bytes, options: Options, payload: bytes = b"") -> None:
        with self._lock:
            self._confirmable(code, token, options, payload)

    def _confirmable(self, code: int, token: bytes, options: Options, payload: bytes) -> None:
        self._message_id += 1
        data = datagram(CON, code, self._message_id, token, options, payload)
        self._unacknowledged[self._message_id] = (data, time.monotonic() + ACK_TIMEOUT_S, 0)
        self._send(data)

    def _retransmit(self, now: float) -> None:
        with self._lock:
            for message_id, (data, due, count) in list(self._unacknowledged.items()):
                if now < due:
                    continue
                if count == MAX_RETRANSMIT:
                    del self._unacknowledged[message_id]
                    self._restart.set()  # and registers anew
                    continue
                self._unacknowledged[message_id] = (data, now + ACK_TIMEOUT_S * 2 ** (count + 1), count + 1)
                self._send(data)

    def _send(self, data: bytes) -> None:
        self._socket.sendto(data, self._server)

    def _pull(self, uri: str, boot: int) -> None:
        """From a port of its own, one token, blocks of 512 bytes, the query dropped."""
        where = urlsplit(uri)
        path = [(URI_PATH, part.encode()) for part in where.path.split("/") if part]
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
                own.connect((where.hostname or "", where.port or 5683))
                number, more = 0, True
                self.firmware.begins()
                while more:
                    options = [*path, (BLOCK2, uint(number << 4 | SIZE_512)), (SIZE2, b"")]
                    heard = _exchange(own, datagram(CON, GET, number & 0xFFFF, PULL_TOKEN, options))
                    if boot != self.boots or self._stop.is_set():
                        return
                    if heard is None or heard.code != CONTENT:
                        self.firmware.lost()
                        return
                    more = bool((heard.number(BLOCK2) or 0) & 8)
                    self.firmware.take(heard.payload, is_last=not more, size=heard.number(SIZE2))
                    number += 1
        except Restarts:
            self._restart.set()


def _exchange(own: socket.socket, data: bytes) -> Heard | None:
    """The answer; None after all retransmissions."""
    timeout_s = ACK_TIMEOUT_S
    for _ in range(MAX_RETRANSMIT + 1):
        try:
            own.settimeout(timeout_s)
            own.send(data)
            return parse(own.recv(65535))
        except TimeoutError:
            timeout_s *= 2
        except ConnectionRefusedError:
            time.sleep(timeout_s)
            timeout_s *= 2
    return None
