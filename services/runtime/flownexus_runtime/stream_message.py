"""One message of a stream as its readers take it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Message(NamedTuple):
    """`sequence` is that of the stream; `pending` is how many come after it."""

    sequence: int
    subject: str
    payload: bytes
    headers: Mapping[str, str]
    pending: int
