"""Answers that come after the request was given up, as a device may answer when it can. RFC 7252, 5.2.2.

What it did then is known, and it need not be asked again.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from flownexus_gateway import metrics
from flownexus_gateway.transport.datagram import Message, Option, Type, empty, read_header, read_message
from flownexus_gateway.transport.peer import Peer

KEPT_S = 3600.0
"""For so long a late answer is known. A request is not answered later than a device's next wake-ups."""

MAX_KEPT = 20_000
"""Requests without an answer, of all devices: the oldest gives way."""

_CONTINUE = 0x5F
_TOO_LARGE = 0x8D
_MORE = 1 << 3

Tell = Callable[[Message], None]
"""Told the answer, once."""


@dataclass(slots=True)
class _GivenUp:
    """`is_answered`: what comes again is acknowledged, and no more than that."""

    peer: Peer
    tell: Tell
    until: float
    is_answered: bool = False


class LateAnswers:
    """Of one gateway, by the tokens of requests that nobody waits for any more. Times in Unix seconds."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._by_token: OrderedDict[bytes, _GivenUp] = OrderedDict()
        self._clock = clock

    def expect(self, token: bytes, peer: Peer, tell: Tell) -> None:
        """The request with this token, which went to `peer`, was given up."""
        now = self._clock()
        self._by_token[token] = _GivenUp(peer, tell, now + KEPT_S)
        while self._by_token:
            oldest = next(iter(self._by_token))
            if len(self._by_token) <= MAX_KEPT and self._by_token[oldest].until > now:
                break
            del self._by_token[oldest]

    def asked(self, token: bytes) -> Peer | None:
        """Where the request with this token went."""
        known = self._by_token.get(token)
        return None if known is None or known.until <= self._clock() else known.peer

    def take(self, data: bytes, peer: Peer) -> bool:
        """Whether it is such an answer; it is acknowledged then. Raises MalformedDatagram."""
        header = read_header(data)
        known = self._by_token.get(header.token)
        if known is None or not header.code:
            return False
        message = read_message(data, header)
        if header.type == Type.CON:
            peer.send(empty(Type.ACK, header.message_id))
        if not known.is_answered and is_whole(message):
            known.is_answered = True
            metrics.LATE_ANSWERS.inc()
            known.tell(message)
        return True


def is_whole(answer: Message) -> bool:
    """Whether it is all of an answer to all of a request: no block of one, and no word on its blocks. RFC 7959, 2.9."""
    block2 = answer.uint(Option.BLOCK2)
    if answer.code == _CONTINUE or (answer.code == _TOO_LARGE and answer.first(Option.BLOCK1) is not None):
        return False
    return block2 is None or not (block2 >> 4 or block2 & _MORE)
