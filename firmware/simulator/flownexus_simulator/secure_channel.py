"""CoAP of one device over DTLS: datagrams and time in, datagrams out. It opens no socket and reads no clock."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from flownexus_simulator.dtls_handshake import Handshake, HandshakeFailed
from flownexus_simulator.dtls_records import ContentType, Protection, Record, split
from flownexus_simulator.psk_keys import Psk
from flownexus_simulator.statistics import Statistics

FIRST_TIMEOUT_S = 1.0
"""Until a flight is sent again; then twice as long, and so on. RFC 6347, 4.2.4.1."""

MAX_SENDS = 7
"""Of one flight, in about two minutes; then the next message begins anew."""

REFUSED_S = 10.0
"""Seconds until a device that was refused tries again."""

MAX_WAITING = 8
"""Messages that wait for the handshake."""

_FATAL, _WARNING, _CLOSE_NOTIFY = 2, 1, 0

Put = Callable[[bytes, bool], None]
"""Sends a datagram; whether it is of a handshake, which stays at its port, as the cookie is bound to that."""


class SecureChannel:
    """Makes a handshake when there is something to send, and another once the server has ended the session or `anew`
    was called. Times are Unix seconds.
    """

    def __init__(self, psk: Psk, statistics: Statistics, put: Put, *, connection_ids: bool) -> None:
        self._psk, self._statistics, self._put = psk, statistics, put
        self._connection_ids = connection_ids
        self._waiting: deque[bytes] = deque(maxlen=MAX_WAITING)
        self._handshake: Handshake | None = None
        self._session: Protection | None = None
        self._sends, self._due, self._not_before = 0, 0.0, 0.0

    def due(self) -> float | None:
        """When `tick` is wanted next."""
        return self._due if self._handshake is not None else None

    def send(self, data: bytes, now: float) -> None:
        """Send it, at once or after a handshake."""
        if self._session is not None:
            self._put(self._session.seal(ContentType.APPLICATION_DATA, data), False)
            return
        if data not in self._waiting:
            self._waiting.append(data)
        if self._handshake is None and now >= self._not_before:
            self._handshake, self._sends = Handshake(self._psk, connection_ids=self._connection_ids), 0
            self._send_flight(self._handshake, now)

    def receive(self, datagram: bytes, now: float) -> list[bytes]:
        """What the server sent in a datagram."""
        found = []
        for record in split(datagram):
            if self._session is not None:
                content = self._open(self._session, record)
                found += [content] if content else []
            elif self._handshake is not None:
                self._go_on(self._handshake, record, now)
        return found

    def tick(self, now: float) -> None:
        """Send the flight again, if it is time."""
        if self._handshake is None or now < self._due:
            return
        if self._sends >= MAX_SENDS:
            self.anew()
        else:
            self._send_flight(self._handshake, now)

    def anew(self) -> None:
        """The session, or the handshake under way, is of no use."""
        self._session = self._handshake = None
        self._waiting.clear()

    def close(self) -> None:
        """Tell the server that nothing comes any more."""
        if self._session is not None:
            self._put(self._session.seal(ContentType.ALERT, bytes((_WARNING, _CLOSE_NOTIFY))), False)

    def _send_flight(self, handshake: Handshake, now: float) -> None:
        self._due = now + FIRST_TIMEOUT_S * 2**self._sends
        self._sends += 1
        self._put(handshake.flight(), True)

    def _go_on(self, handshake: Handshake, record: Record, now: float) -> None:
        try:
            goes_on = handshake.receive(record)
        except HandshakeFailed:
            self._statistics.refused_handshakes += 1
            self._not_before = now + REFUSED_S
            self.anew()
            return
        if handshake.session is not None:
            self._statistics.handshakes += 1
            self._session, self._handshake = handshake.session, None
            while self._waiting:
                self.send(self._waiting.popleft(), now)
        elif goes_on:
            self._sends = 0
            self._send_flight(handshake, now)

    def _open(self, session: Protection, record: Record) -> bytes | None:
        content = session.open(record) if record.is_protected else None
        if content is not None and record.type == ContentType.ALERT and content[:1] == bytes((_FATAL,)):
            self.anew()
        return content if record.type == ContentType.APPLICATION_DATA else None
