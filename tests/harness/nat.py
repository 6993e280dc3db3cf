"""A NAT between devices and a server, which forgets its bindings when it is told to."""

from __future__ import annotations

from harness.load_balancer import LoadBalancer


class Nat(LoadBalancer):
    """Listens on `port` of 127.0.0.1 while it is open. `passed`: the datagrams of devices that went through."""

    def __init__(self, server: int) -> None:
        super().__init__((server,), stickiness=1.0)
        self.passed: list[bytes] = []
        self._forgets = False

    def forget(self) -> None:
        """The next datagrams of devices come from other ports; what is sent to the former ones is lost."""
        self._forgets = True

    def _forward(self, data: bytes, client: tuple[str, int]) -> None:
        if self._forgets:
            self._forgets = False
            for sock, _ in self._clients.values():
                self._selector.unregister(sock)
                sock.close()
            self._clients.clear()
        self.passed.append(data)
        super()._forward(data, client)
