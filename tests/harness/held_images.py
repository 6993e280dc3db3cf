"""What is between devices and the system: it holds firmware images back where a test wants to interrupt them.

Datagrams go to the gateway and back, HTTP to the api. Who fetches or is sent an image is known by the endpoint in a
Register and by the link.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from harness.lockstep import BLOCK1, BLOCK2, CONTENT, GET, POST, PUT, URI_QUERY, Heard, parse
from harness.ports import free_port

_MAX_DATAGRAM = 65535
_PIECE = 4096
_LOOK_S = 0.05
Address = tuple[str, int]


class HeldImages:
    """Ports of 127.0.0.1 that devices use in place of the system's while it is `open`.

    An image stands still once so many percent of its `size` bytes are through, and goes on when the test says so.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self.coap_port, self.http_port = free_port("udp"), free_port()
        self._halts: dict[str, list[int]] = {}
        self._held: dict[str, Callable[[], object]] = {}
        self._lost: set[str] = set()
        self._changed = threading.Condition()
        self._closed = threading.Event()

    @property
    def coap_url(self) -> str:
        return f"coap://127.0.0.1:{self.coap_port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @contextmanager
    def open(self, gateway_port: int, api_port: int) -> Iterator[HeldImages]:
        """Pass on to these."""
        listener = socket.create_server(("127.0.0.1", self.http_port))
        threads = [
            threading.Thread(target=self._relay, args=(gateway_port,), name="held datagrams"),
            threading.Thread(target=self._accept, args=(listener, api_port), name="held http"),
        ]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            self._closed.set()
            for thread in threads:
                thread.join()
            listener.close()

    def hold(self, name: str, *percents: int) -> None:
        """An image, or those of an endpoint, at each of these, one after the other. It need not be on its way yet."""
        self._halts[name] = list(percents)

    def holds(self, name: str) -> bool:
        """Whether its image stands still."""
        return name in self._held

    def go_on(self, names: Sequence[str], *, lost: bool = False) -> None:
        """From where they stand; with `lost` what was on its way is not delivered."""
        with self._changed:
            for name in names:
                self._halts[name].pop(0)
                deliver = self._held.pop(name)
                if lost:
                    self._lost.add(name)
                else:
                    deliver()
            self._changed.notify_all()

    def _passes(self, name: str | None, upto: int, deliver: Callable[[], object]) -> bool:
        with self._changed:
            halts = self._halts.get(name or "")
            if not name or not halts or 100 * upto < halts[0] * self._size:
                return True
            self._held[name] = deliver
            return False

    def _name_of(self, text: str) -> str | None:
        """Of a link's path, or an endpoint's name. An update has the name of its endpoint, where the harness asked."""
        parts = text.split("/")
        return next((name for name in self._halts if name in parts or parts[-1].startswith(f"{name}-")), None)

    # --- datagrams

    def _relay(self, gateway_port: int) -> None:
        front = _bound(self.coap_port)
        clients: dict[Address, socket.socket] = {}
        names: dict[Address, str | None] = {}
        with selectors.DefaultSelector() as selector:
            selector.register(front, selectors.EVENT_READ)
            while not self._closed.is_set():
                for key, _ in selector.select(_LOOK_S):
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    data, sender = sock.recvfrom(_MAX_DATAGRAM)
                    if sock is not front:
                        self._to_device(front, data, key.data, names.get(key.data))
                        continue
                    if sender not in clients:
                        clients[sender] = _bound(0)
                        selector.register(clients[sender], selectors.EVENT_READ, sender)
                    if (name := self._named(data)) is not None:
                        names[sender] = name
                    clients[sender].sendto(data, ("127.0.0.1", gateway_port))
        for sock in (front, *clients.values()):
            sock.close()

    def _named(self, data: bytes) -> str | None:
        """Who says of itself in this who it is."""
        heard = parse(data)
        if heard.code == POST:
            queries = [value.decode() for value in heard.all(URI_QUERY)]
            return next((self._name_of(one.removeprefix("ep=")) for one in queries if one.startswith("ep=")), None)
        return self._name_of(heard.path()) if heard.code == GET else None

    def _to_device(self, front: socket.socket, data: bytes, device: Address, name: str | None) -> None:
        if self._passes(name, _upto(parse(data)), lambda: front.sendto(data, device)):
            front.sendto(data, device)

    # --- HTTP

    def _accept(self, listener: socket.socket, api_port: int) -> None:
        listener.settimeout(_LOOK_S)
        while not self._closed.is_set():
            with contextlib.suppress(TimeoutError):
                device, _ = listener.accept()
                threading.Thread(target=self._download, args=(device, api_port), daemon=True).start()

    def _download(self, device: socket.socket, api_port: int) -> None:
        """One request a connection; while the api is not there, the connection ends."""
        with contextlib.suppress(OSError), device, socket.create_connection(("127.0.0.1", api_port), 5) as api:
            head = _head(device)
            name = self._name_of(head.split()[1].decode())
            api.sendall(head.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
            answer = _head(api)
            device.sendall(answer)
            upto = _first(answer)
            while piece := api.recv(_PIECE):
                upto += len(piece)
                if not self._passes(name, upto, lambda: None) and self._is_lost(name or ""):
                    return
                device.sendall(piece)

    def _is_lost(self, name: str) -> bool:
        """Wait until it goes on; whether what was on its way is lost."""
        with self._changed:
            self._changed.wait_for(lambda: name not in self._held or self._closed.is_set(), 120)
            lost = name in self._lost
            self._lost.discard(name)
            return lost or self._closed.is_set()


def _upto(heard: Heard) -> int:
    """The end of the part of an image that is in this, a block of Package or of a download; -1 where there is none."""
    option = BLOCK1 if heard.code == PUT and heard.path() == "5/0/0" else BLOCK2 if heard.code == CONTENT else None
    block = None if option is None else heard.number(option)
    return -1 if block is None else (block >> 4 << (block & 7) + 4) + len(heard.payload)


def _head(sock: socket.socket) -> bytes:
    """To the empty line, byte by byte. OSError where it ends before."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = sock.recv(1)
        if not byte:
            raise ConnectionError("ended within a head")
        head += byte
    return head


def _first(answer: bytes) -> int:
    """The offset of the first byte that an answer has of the whole. RFC 9110, 14.4."""
    for line in answer.lower().split(b"\r\n"):
        if line.startswith(b"content-range: bytes "):
            return int(line.removeprefix(b"content-range: bytes ").split(b"-")[0])
    return 0


def _bound(port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
    sock.bind(("127.0.0.1", port))
    return sock
