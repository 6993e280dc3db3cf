"""A UDP load balancer without memory: what a device sends goes now to one server, now to another."""

from __future__ import annotations

import selectors
import socket
import threading
from collections import Counter
from collections.abc import Sequence
from random import Random
from types import TracebackType
from typing import Self

_MAX_DATAGRAM = 65535


class LoadBalancer:
    """Listens on `port` of 127.0.0.1 while it is open; its `servers` are ports there. Each client has a socket of its
    own towards all of them, which see it under one address whichever they are.

    `stickiness`: how likely a client's next datagram goes where its last one went; its first ones, `settles` of them,
    all do.
    """

    def __init__(
        self,
        servers: Sequence[int],
        stickiness: float,
        seed: int = 1,
        settles: int = 1,
    ) -> None:
        self._servers, self._stickiness, self._random, self._settles = servers, stickiness, Random(seed), settles
        self._sent: Counter[tuple[str, int]] = Counter()
        self._front = _bound()
        self.port: int = self._front.getsockname()[1]
        self.moves = 0
        self._clients: dict[tuple[str, int], tuple[socket.socket, int]] = {}
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._front, selectors.EVENT_READ, None)
        self._closing, self._closed = socket.socketpair()
        self._selector.register(self._closed, selectors.EVENT_READ, "closed")
        self._thread = threading.Thread(target=self._run, name="load balancer", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()
        self._thread.join()
        for each in (self._front, self._closed, *(sock for sock, _ in self._clients.values())):
            each.close()
        self._selector.close()

    def _run(self) -> None:
        while True:
            for key, _ in self._selector.select():
                if key.data == "closed":
                    return
                sock = key.fileobj
                assert isinstance(sock, socket.socket)
                try:
                    if key.data is None:
                        self._forward(*sock.recvfrom(_MAX_DATAGRAM))
                    else:
                        self._front.sendto(sock.recv(_MAX_DATAGRAM), key.data)
                except OSError:
                    continue  # a server that is not there; the datagram is lost, as on any network

    def _forward(self, data: bytes, client: tuple[str, int]) -> None:
        known = self._clients.get(client)
        if known is None:
            upstream, server = _bound(), self._random.choice(self._servers)
            self._selector.register(upstream, selectors.EVENT_READ, client)
        else:
            upstream, server = known
            if self._sent[client] >= self._settles and self._random.random() > self._stickiness:
                server = self._random.choice([other for other in self._servers if other != server])
                self.moves += 1
        self._sent[client] += 1
        self._clients[client] = (upstream, server)
        upstream.sendto(data, ("127.0.0.1", server))


def _bound() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", 0))
    return sock
