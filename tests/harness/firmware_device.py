"""A device with a Firmware Update object, in a thread of its own. Every byte is put together by hand."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from harness.lockstep import (
    ACK,
    BLOCK1,
    BLOCK2,
    CHANGED,
    CON,
    CONTENT,
    CREATED,
    GET,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    OBSERVE,
    POST,
    PUT,
    SENML_JSON,
    URI_PATH,
    Heard,
    LockstepDevice,
    Silence,
    datagram,
    parse,
    uint,
)
from harness.waiting import blocking_until

LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>,</5/0>'
CONTINUE, INCOMPLETE = 0x5F, 0x88
READABLE = frozenset(f"GET {path}" for path in ("5/0", "3/0/3", "5/0/3", "5/0/5", "5/0/8", "5/0/9"))
IDLE, DOWNLOADING, DOWNLOADED, UPDATING = range(4)
SIZE_512 = 5
TICK_S = 0.02
FETCH_S = 2.0

Handler = Callable[["FirmwareDevice", Heard], bool]
"""What a test does in place of the device about a request; False where it leaves it to the device."""


class FirmwareDevice(LockstepDevice):
    """It runs `version`, fetches or takes an image, and runs what `new_version` says after Update and a restart.

    `handlers` go first. `stop_at`: bytes at which a download stands still until `go_on` is set; `pace_s`: between two
    of its blocks. What it does is in `log`: `GET 5/0`, `stands still`, `restarted`.
    """

    def __init__(
        self,
        port: int,
        endpoint: str,
        *,
        delivery: int = 2,
        protocols: tuple[int, ...] = (),
        queries: tuple[str, ...] = (),
        new_version: str | None = "2.0",
        restart_s: float = 0.2,
        update_every_s: float = 3600,
    ) -> None:
        super().__init__(port, endpoint)
        self.delivery, self.protocols, self.queries = delivery, protocols, queries
        self.version, self.new_version = "1.0", new_version
        self.restart_s, self.update_every_s = restart_s, update_every_s
        self.state, self.result, self.result_after = IDLE, 0, 1
        self.image = b""
        self.package = bytearray()
        self.log: list[str] = []
        self.handlers: dict[str, Handler] = {}
        self.stop_at: int | None = None
        self.pace_s = TICK_S
        self.go_on = threading.Event()
        self._observers: dict[str, tuple[bytes, int]] = {}
        self._stopped = threading.Event()
        self._download: threading.Thread | None = None
        self._begun = 0
        self._lock = threading.RLock()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    # --- what a test does with it

    def start(self) -> FirmwareDevice:
        """Register and serve."""
        assert self.register(LINKS, *self.queries).code == CREATED
        self._thread.start()
        return self

    def close(self) -> None:
        self._stopped.set()
        self.go_on.set()
        if self._thread.ident is not None:
            self._thread.join(5)
        super().close()

    def count(self, entry: str) -> int:
        """How often it did this."""
        return self.log.count(entry)

    def becomes(self, state: int, result: int | None = None) -> None:
        """Another state, told to whoever observes it."""
        with self._lock:
            self.state = state
            self._notify("5/0/3", state)
            if result is not None and result != self.result:
                self.result = result
                self._notify("5/0/5", result)

    def restart(self, *, forgets: bool = True) -> None:
        """From another port; what was being downloaded is lost."""
        with self._lock:
            self._begun += 1
            self._observers.clear()
            self.package.clear()
            if forgets and self.state in {DOWNLOADING, DOWNLOADED}:
                self.state, self.result = IDLE, 0
            self.move()
            self.log.append("restarted")
            self.send(self.register_datagram(LINKS, *self.queries, message_id=next(self.message_ids)))

    def wake(self) -> None:
        """Update the registration."""
        with self._lock:
            options = [(URI_PATH, part.encode()) for part in self.location.split("/")]
            self.send(datagram(CON, POST, next(self.message_ids), b"\x03", options))

    # --- the thread

    def _serve(self) -> None:
        update_at = time.monotonic() + self.update_every_s
        while not self._stopped.is_set():
            if time.monotonic() >= update_at:
                update_at += self.update_every_s
                self.wake()
            try:
                heard = self.receive(TICK_S)
            except (Silence, OSError):
                continue
            with self._lock:
                if heard.code in {GET, PUT, POST}:
                    self._request(heard)
                elif heard.code == CREATED:
                    self.location = heard.location()

    def _request(self, heard: Heard) -> None:
        methods = {GET: "GET", PUT: "PUT", POST: "POST"}
        name = f"{methods[heard.code]} {heard.path()}"
        self.log.append(name)
        handler = self.handlers.get(name)
        if handler is not None and handler(self, heard):
            return
        match name:
            case name if name in READABLE:
                self._read(heard)
            case "PUT 5/0/1":
                self._package_uri(heard)
            case "PUT 5/0/0":
                self._package(heard)
            case "POST 5/0/2" if self.state == DOWNLOADED:
                self.answer(heard, CHANGED)
                self.becomes(UPDATING)
                threading.Timer(self.restart_s, self._install).start()
            case "POST 5/0/2":
                self.answer(heard, METHOD_NOT_ALLOWED)
            case _:
                self.answer(heard, NOT_FOUND)

    def _read(self, heard: Heard) -> None:
        observe, values = None, self._values(heard.path())
        if values == b"[]":
            self.answer(heard, NOT_FOUND)
            return
        if heard.number(OBSERVE) == 0:
            self._observers[heard.path()] = (heard.token, 1)
            observe = 0
        self.answer(heard, CONTENT, values, SENML_JSON, observe=observe)

    def _values(self, path: str) -> bytes:
        values: dict[str, dict[str, object]] = {
            "5/0/3": {"v": self.state},
            "5/0/5": {"v": self.result},
            "5/0/9": {"v": self.delivery},
            "3/0/3": {"vs": self.version},
        }
        values |= {f"5/0/8/{number}": {"v": value} for number, value in enumerate(self.protocols)}
        below = [{"n": f"/{name}"} | value for name, value in values.items() if f"{name}/".startswith(f"{path}/")]
        return json.dumps(below).encode()

    def _notify(self, path: str, value: int) -> None:
        if path not in self._observers:
            return
        token, number = self._observers[path]
        self._observers[path] = (token, number + 1)
        payload = json.dumps([{"n": f"/{path}", "v": value}]).encode()
        self.send(self.notification(token, number, payload, SENML_JSON))

    def _package_uri(self, heard: Heard) -> None:
        self.answer(heard, CHANGED)
        self._begun += 1
        if not heard.payload:
            self.log.append("dropped")
            self.becomes(IDLE, 0)
            return
        self.becomes(DOWNLOADING, 0)
        uri, number = heard.payload.decode(), self._begun
        self._download = threading.Thread(target=self._fetch, args=(uri, number), daemon=True)
        self._download.start()

    def _fetch(self, uri: str, number: int) -> None:
        """From a port of its own, 512 bytes a block, as Zephyr does."""
        parts = urlsplit(uri)
        path = [(URI_PATH, segment.encode()) for segment in parts.path.strip("/").split("/")]
        image, block, more = bytearray(), 0, True
        with self._own_port(parts.hostname or "", parts.port or 5683) as own:
            while more and number == self._begun and not self._stopped.is_set():
                if self.stop_at is not None and len(image) >= self.stop_at and not self.go_on.wait(self.pace_s):
                    self._say_once("stands still")
                    continue
                if self.pace_s > TICK_S and self._stopped.wait(self.pace_s):
                    return
                own.send(datagram(CON, GET, block & 0xFFFF, b"\x77", [*path, (BLOCK2, uint(block << 4 | SIZE_512))]))
                try:
                    answered = parse(own.recv(65535))
                except (TimeoutError, ConnectionError):
                    continue
                if answered.code != CONTENT:
                    self.log.append(f"link answered {answered.code >> 5}.{answered.code & 31:02}")
                    self.becomes(IDLE, 4)
                    return
                if answered.message_id == block & 0xFFFF:
                    image += answered.payload
                    more = bool((answered.number(BLOCK2) or 0) & 8)
                    block += 1
        with self._lock:
            if not more and number == self._begun:
                self._have(bytes(image))

    @staticmethod
    def _own_port(host: str, port: int) -> socket.socket:
        """What a download is fetched through."""
        own = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        own.connect((host, port))
        own.settimeout(FETCH_S)
        return own

    def _say_once(self, entry: str) -> None:
        if entry not in self.log:
            self.log.append(entry)

    def _package(self, heard: Heard) -> None:
        block1 = heard.number(BLOCK1)
        number, more = ((block1 or 0) >> 4, bool((block1 or 0) & 8))
        if not more and not number and heard.payload in {b"", b"\0"}:
            self.log.append("dropped")
            self.package.clear()
            self.answer(heard, CHANGED)
            self.becomes(IDLE, 0)
            return
        size = 16 << ((block1 or 0) & 7)
        if number == 0:
            self.package.clear()
            self.becomes(DOWNLOADING, 0)
        if number * size != len(self.package):
            self.send(datagram(ACK, INCOMPLETE, heard.message_id, heard.token, [(BLOCK1, uint(block1 or 0))]))
            return
        self.package += heard.payload
        code = CONTINUE if more else CHANGED
        self.send(datagram(ACK, code, heard.message_id, heard.token, [(BLOCK1, uint(block1 or 0))]))
        if not more:
            self._have(bytes(self.package))

    def _have(self, image: bytes) -> None:
        self.image = image
        self.log.append(f"has {len(image)}")
        self.becomes(DOWNLOADED)

    def _install(self) -> None:
        with self._lock:
            if self._stopped.is_set():
                return
            if self.new_version is not None:
                self.version = self.new_version
            self.state, self.result = IDLE, self.result_after
            self.restart()

    def wait_for(self, entry: str, timeout_s: float = 20) -> None:
        """Until it did this."""
        blocking_until(lambda: entry in self.log, timeout_s, f"{entry!r} in {self.log}")
