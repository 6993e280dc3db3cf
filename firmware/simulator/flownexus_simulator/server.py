"""Which server a fleet may be let loose on."""

from __future__ import annotations

import ipaddress
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

DEFAULT_PORTS = {"coap": 5683, "coaps": 5684}


class InvalidServer(ValueError):
    """The server cannot be used; the text says why and what to do."""


class Server(NamedTuple):
    """Where it is, and whether devices speak DTLS with it."""

    host: str
    port: int
    is_secure: bool


def resolve(url: str, *, allow_remote: bool) -> Server:
    """The server at `coap://host[:port]` or `coaps://`. Raises InvalidServer: no such URL or host, or not this
    machine.
    """
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError as error:
        raise InvalidServer(f"{url!r} is no server: {error}") from error
    if (
        parts.scheme not in DEFAULT_PORTS
        or port is None
        or not parts.hostname
        or parts.path not in {"", "/"}
        or parts.query
    ):
        raise InvalidServer(f"{url!r} is no server: write coap://host, coaps://host or one of them with :port")
    host, port = address_of(parts.hostname, port, allow_remote=allow_remote)
    return Server(host, port, parts.scheme == "coaps")


def address_of(host: str, port: int, *, allow_remote: bool) -> tuple[str, int]:
    """Address and port of a host. Raises InvalidServer: no such host, or not this machine."""
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][4][0]
    except OSError as error:
        raise InvalidServer(f"{host!r} is not found: {error.strerror}") from error
    if not allow_remote and not ipaddress.ip_address(address).is_loopback:
        raise InvalidServer(f"{host!r} is another machine: give --allow-remote if it is yours to load")
    return str(address), port
