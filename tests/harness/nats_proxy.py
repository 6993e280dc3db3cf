"""A proxy between one service and NATS that stops at a chosen message: what is killed then is killed there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import TracebackType
from urllib.parse import urlsplit

CONNECT_S = 1.0


@dataclass(eq=False)
class Stop:
    """The first message that `is_it` is held back, and all after it that way. `to_server`: the service sent it.

    `after`: only once a message with these bytes went the way to the server.
    """

    to_server: bool
    is_it: Callable[[bytes, bytes], bool]
    after: bytes | None = None
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)


class NatsProxy:
    """Listens on a port of its own; `url` is the given one with it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        assert parts.hostname is not None
        assert parts.port is not None
        self._server = (parts.hostname, parts.port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = url.replace(f":{parts.port}", f":{self._listener.getsockname()[1]}")
        self._stop: Stop | None = None
        self._closed = False
        threading.Thread(target=self._accept, name="nats proxy", daemon=True).start()

    def __enter__(self) -> NatsProxy:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        self.go_on()
        self._listener.close()

    def stop_at(self, stop: Stop) -> Stop:
        """Hold this back; `stop.reached` is set then."""
        self._stop = stop
        return stop

    def go_on(self) -> None:
        """Let through what is held back, where both ends are still there."""
        if self._stop is not None:
            self._stop.over.set()
            self._stop = None

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self._server, CONNECT_S)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            for one, other, to_server in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass_on, args=(one, other, to_server), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, to_server: bool) -> None:
        try:
            for subject, message in _messages(one):
                self._hold(subject, message, to_server)
                other.sendall(message)
        except OSError:
            pass
        finally:
            for sock in (one, other):
                sock.close()

    def _hold(self, subject: bytes, message: bytes, to_server: bool) -> None:
        stop = self._stop
        if stop is None:
            return
        if stop.to_server == to_server and stop.after is None and stop.is_it(subject, message):
            stop.reached.set()
            stop.over.wait(60)
        elif to_server and stop.after is not None and stop.after in message:
            stop.after = None


def _messages(sock: socket.socket) -> Iterator[tuple[bytes, bytes]]:
    """Each protocol message with its subject, which is empty where it has none. NATS client protocol."""
    stream = sock.makefile("rb")
    while line := stream.readline():
        words = line.split()
        verb = words[0].upper() if words else b""
        if verb in {b"PUB", b"HPUB", b"MSG", b"HMSG"}:
            yield words[1], line + stream.read(int(words[-1]) + 2)
        else:
            yield b"", line
