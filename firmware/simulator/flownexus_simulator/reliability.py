"""Confirmable messages: retransmission with back-off, one at a time; and requests answered once. RFC 7252, 4.2 to 4.8.

Sans-IO: the caller passes the time and sends what it is given.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from random import Random

ACK_TIMEOUT_S = 2.0
ACK_RANDOM_FACTOR = 1.5
MAX_RETRANSMIT = 4
EXCHANGE_LIFETIME_S = 247.0
MAX_REMEMBERED = 32


@dataclass(slots=True)
class Transmission:
    """A confirmable message under way. Times in seconds of the caller's clock."""

    mid: int
    datagram: bytes
    first_sent: float
    timeout_s: float
    due: float
    retransmissions: int = 0


class Transmitter:
    """The one confirmable message that a device may have under way (NSTART = 1)."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self.current: Transmission | None = None

    @property
    def idle(self) -> bool:
        """Whether another confirmable message may be sent."""
        return self.current is None

    def start(self, mid: int, datagram: bytes, now: float) -> None:
        """Put a message under way; the caller sends it. Only while idle."""
        assert self.current is None
        timeout_s = ACK_TIMEOUT_S * self._random.uniform(1.0, ACK_RANDOM_FACTOR)
        self.current = Transmission(mid, datagram, now, timeout_s, now + timeout_s)

    def acknowledged(self, mid: int) -> Transmission | None:
        """End the transmission that an Acknowledgement or Reset with `mid` answers; None if it is another."""
        if self.current is None or self.current.mid != mid:
            return None
        ended, self.current = self.current, None
        return ended

    def expire(self, now: float) -> bytes | Transmission | None:
        """What falls due: the datagram to send again, or the transmission given up, or None."""
        current = self.current
        if current is None or now < current.due:
            return None
        if current.retransmissions >= MAX_RETRANSMIT:
            self.current = None
            return current
        current.retransmissions += 1
        current.timeout_s *= 2
        current.due = now + current.timeout_s
        return current.datagram


class Answered:
    """Answers by message id, so that a repeated request is answered the same and not executed again."""

    def __init__(self) -> None:
        self._answers: OrderedDict[tuple[int, bytes], tuple[float, bytes]] = OrderedDict()

    def recall(self, mid: int, token: bytes, now: float) -> bytes | None:
        """The answer given to this request within the exchange lifetime.

        The token counts too: a server that restarted may come upon a message id that it used before.
        """
        remembered = self._answers.get((mid, token))
        if remembered is None or now - remembered[0] > EXCHANGE_LIFETIME_S:
            return None
        return remembered[1]

    def remember(self, mid: int, token: bytes, answer: bytes, now: float) -> None:
        """Keep an answer; the oldest beyond 32 are forgotten."""
        self._answers[mid, token] = (now, answer)
        self._answers.move_to_end((mid, token))
        while len(self._answers) > MAX_REMEMBERED:
            self._answers.popitem(last=False)
