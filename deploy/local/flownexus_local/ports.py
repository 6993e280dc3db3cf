"""Ports of this machine: whether one is free, who holds it if not, and a free one that stays the same."""

from __future__ import annotations

import errno
import random
import socket
from typing import Literal

import psutil

Kind = Literal["tcp", "udp"]

QUIET_RANGE = range(20000, 32000)
"""Below the range that systems give to outgoing connections, so that a port stays free while its server restarts."""

_SOCKET_TYPES = {"tcp": socket.SOCK_STREAM, "udp": socket.SOCK_DGRAM}


def is_free(kind: Kind, host: str, port: int) -> bool:
    """Whether a server could listen on it now. `::` means IPv6 and IPv4 together, as the gateway takes it.

    Raises OSError if `host` is no address of this machine, or the port needs a right that we do not have.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, _SOCKET_TYPES[kind]) as probe:
        if kind == "tcp":
            # As every server does: the last one's connections that are still closing do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


def holder(kind: Kind, port: int) -> str:
    """Who listens on the port, as `name (process 123)`; empty where the system does not tell."""
    try:
        connections = psutil.net_connections(kind)
    except (psutil.Error, OSError):
        return ""
    for connection in connections:
        listens = kind == "udp" or connection.status == psutil.CONN_LISTEN
        if listens and connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                return f"process {connection.pid}"
    return ""


def pick(kind: Kind, preferred: int | None = None) -> int:
    """A free port of 127.0.0.1: the preferred one if it is free, else one of QUIET_RANGE. RuntimeError if none is."""
    if preferred is not None and is_free(kind, "127.0.0.1", preferred):
        return preferred
    for _ in range(1000):
        port = random.choice(QUIET_RANGE)  # noqa: S311 - not a secret
        if is_free(kind, "127.0.0.1", port):
            return port
    raise RuntimeError(f"no free {kind} port between {QUIET_RANGE.start} and {QUIET_RANGE.stop}")
