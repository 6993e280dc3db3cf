"""The socket that the API listens on."""

from __future__ import annotations

import socket

BACKLOG = 2048
STUCK_AFTER_S = 30
"""Seconds after which a client that takes nothing of what we send is cut off."""


def listen(host: str, port: int) -> socket.socket:
    """A listening TCP socket, IPv6 where the host is written so. Raises OSError.

    On Linux every connection it accepts ends when nothing sent over it is taken for 30 s: a server may close such a
    connection, but the kernel would hold on to it for as long as the peer says that it lives. RFC 5482.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, STUCK_AFTER_S * 1000)
    return listener
