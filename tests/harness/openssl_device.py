"""The lock-step device over `openssl s_client`: each datagram goes through its standard input and output."""

from __future__ import annotations

import fcntl
import os
import select
import subprocess
import termios
from collections.abc import Sequence

from harness.lockstep import Heard, LockstepDevice, Silence, parse
from harness.waiting import blocking_until

COMMAND = "openssl"
_ALWAYS = ("-quiet", "-mtu", "1200")


class OpenSslDevice(LockstepDevice):
    """`options` are those of s_client: a key or a certificate. Use it in a `with`."""

    def __init__(self, port: int, endpoint: str, options: Sequence[str], version: str = "-dtls1_2") -> None:
        super().__init__(port, endpoint)
        self._process = subprocess.Popen(
            [COMMAND, "s_client", version, *_ALWAYS, "-connect", f"127.0.0.1:{port}", *options],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def close(self) -> None:
        super().close()
        self._process.kill()
        self._process.communicate()

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        # What it reads at once is one datagram: it must have read the one before.
        blocking_until(self._has_read_all, what="s_client at its input")
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def receive(self, timeout_s: float | None = None) -> Heard:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], self.timeout_s if timeout_s is None else timeout_s)
        data = os.read(self._process.stdout.fileno(), 65535) if ready else b""
        if not data:
            raise Silence("the server sent nothing")
        return parse(data)

    def _has_read_all(self) -> bool:
        assert self._process.stdin is not None
        unread = bytearray(4)
        fcntl.ioctl(self._process.stdin.fileno(), termios.FIONREAD, unread)
        return not any(unread)

    def said(self, timeout_s: float = 10) -> str:
        """What it said of its end, once it ended by itself."""
        assert self._process.stdin is not None
        self._process.wait(timeout_s)
        assert self._process.stderr is not None
        return self._process.stderr.read().decode()
