"""Requests answered lately, so that a retransmission gets the same answer. RFC 7252, 4.5."""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

EXCHANGE_LIFETIME_S = 247.0
MAX_REMEMBERED = 200_000

_Key = tuple[Hashable, int]


class Remembered(NamedTuple):
    """A request by the hash of its bytes; `answer` is None while it is handled."""

    content: int
    received_at: float
    answer: bytes | None


class AnsweredRequests:
    """By message id and whose it is, an address or a DTLS association, for EXCHANGE_LIFETIME.

    The bytes are compared too: after a reboot a device begins again with the same message ids from the same port, and
    an Update of its new registration is no duplicate of one of the old.
    """

    def __init__(self) -> None:
        self._remembered: dict[_Key, Remembered] = {}

    def find(self, sender: Hashable, message_id: int, data: bytes, now: float) -> Remembered | None:
        """The same request, if it came before."""
        self._forget_old(now)
        found = self._remembered.get((sender, message_id))
        return found if found is not None and found.content == hash(data) else None

    def begin(self, sender: Hashable, message_id: int, data: bytes, now: float) -> None:
        """A request is handled from now on."""
        self._remembered.pop((sender, message_id), None)
        self._remembered[sender, message_id] = Remembered(hash(data), now, None)

    def end(self, sender: Hashable, message_id: int, data: bytes, answer: bytes | None) -> None:
        """Its answer; None to handle it anew when it comes again."""
        found = self._remembered.get((sender, message_id))
        if found is None or found.content != hash(data):
            return
        if answer is None:
            del self._remembered[sender, message_id]
        else:
            self._remembered[sender, message_id] = found._replace(answer=answer)

    def forget(self, sender: Hashable, message_id: int) -> None:
        self._remembered.pop((sender, message_id), None)

    def _forget_old(self, now: float) -> None:
        while self._remembered:
            key, oldest = next(iter(self._remembered.items()))
            if now - oldest.received_at < EXCHANGE_LIFETIME_S and len(self._remembered) < MAX_REMEMBERED:
                return
            del self._remembered[key]
