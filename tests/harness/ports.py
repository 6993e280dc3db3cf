"""Ports for the servers of a test."""

from __future__ import annotations

import random
import socket
from typing import Literal

RANGE = range(20000, 32000)
"""Below the range that systems give to outgoing connections, so that a port stays free between a kill and a start."""

_given: set[int] = set()


def free_port(kind: Literal["tcp", "udp"] = "tcp") -> int:
    """A port that nobody on this machine uses and that this test run has not given before."""
    for _ in range(1000):
        port = random.choice(RANGE)  # tests of other runs choose at the same time: not in order
        if port not in _given and _is_free(port, kind):
            _given.add(port)
            return port
    raise RuntimeError(f"no free {kind} port in {RANGE}")


def _is_free(port: int, kind: Literal["tcp", "udp"]) -> bool:
    socket_type = socket.SOCK_STREAM if kind == "tcp" else socket.SOCK_DGRAM
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::")):
        try:
            with socket.socket(family, socket_type) as probe:
                probe.bind((address, port))
        except OSError as error:
            if family == socket.AF_INET6 and not socket.has_dualstack_ipv6():
                continue
            if error.errno is not None:
                return False
    return True
