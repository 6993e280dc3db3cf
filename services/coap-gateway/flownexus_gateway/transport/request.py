"""A request from a device and the answer to it, as handlers see them."""

from __future__ import annotations

from typing import NamedTuple

from flownexus_gateway.transport.datagram import Message
from flownexus_gateway.transport.peer import Peer

GET = 1
POST = 2
DELETE = 4


class Request(NamedTuple):
    """One whole request; `payload` is that of all blocks. `received_at` in Unix seconds."""

    message: Message
    peer: Peer
    path: tuple[str, ...]
    queries: tuple[str, ...]
    payload: bytes
    content_format: int | None
    received_at: float


class Answer(NamedTuple):
    """A code, and options and payload where there are any."""

    code: int
    options: tuple[tuple[int, bytes], ...] = ()
    payload: bytes = b""
