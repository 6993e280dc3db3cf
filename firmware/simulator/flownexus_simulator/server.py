"""Which server a fleet may be let loose on."""

from __future__ import annotations

import ipaddress
import socket
from urllib.parse import urlsplit

DEFAULT_PORT = 5683


class InvalidServer(ValueError):
    """The server cannot be used; the text says why and what to do."""


def resolve(url: str, *, allow_remote: bool) -> tuple[str, int]:
    """Address and port of `coap://host[:port]`. Raises InvalidServer: no such URL or host, or not this machine."""
    try:
        parts = urlsplit(url)
        port = parts.port or DEFAULT_PORT
    except ValueError as error:
        raise InvalidServer(f"{url!r} is no server: {error}") from error
    if parts.scheme != "coap" or not parts.hostname or parts.path not in {"", "/"} or parts.query:
        raise InvalidServer(f"{url!r} is no server: write coap://host or coap://host:port")
    return address_of(parts.hostname, port, allow_remote=allow_remote)


def address_of(host: str, port: int, *, allow_remote: bool) -> tuple[str, int]:
    """Address and port of a host. Raises InvalidServer: no such host, or not this machine."""
    try:
        address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0][4][0]
    except OSError as error:
        raise InvalidServer(f"{host!r} is not found: {error.strerror}") from error
    if not allow_remote and not ipaddress.ip_address(address).is_loopback:
        raise InvalidServer(f"{host!r} is another machine: give --allow-remote if it is yours to load")
    return str(address), port
