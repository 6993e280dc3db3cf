"""Measurements on their way to the server: stored until they can be sent, each with its own time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection
from math import floor
from typing import NamedTuple

from flownexus_simulator.behaviour import Behaviour
from flownexus_simulator.coap import Code, Message, Option, Type, unsigned
from flownexus_simulator.downloads import Download
from flownexus_simulator.equipment import Sensors
from flownexus_simulator.ledger import Entry, Outcome, Served
from flownexus_simulator.observations import Key, Observation, Observations
from flownexus_simulator.representation import write
from flownexus_simulator.statistics import Statistics
from flownexus_simulator.values import Path, Tree

FIRMWARE_UPDATE: Path = (5,)
"""What of it is observed is notified when it changes alone."""

MAX_STORED = 500
"""Notifications that a device stores while it cannot send; beyond, the oldest are dropped."""


class Sink(NamedTuple):
    """Where a fleet gathers what its devices do. `permit` says whether one more notification may be made."""

    statistics: Statistics
    record: Callable[[Entry, Outcome], None]
    permit: Callable[[], bool]
    served: Callable[[Served], None]
    downloaded: Callable[[str, Download], None] = lambda _endpoint, _download: None


class Reporting:
    """The notifications of one device. Times are Unix seconds."""

    def __init__(
        self,
        endpoint: str,
        behaviour: Behaviour,
        tree: Tree,
        sensors: Sensors,
        observations: Observations,
        *,
        sink: Sink,
    ) -> None:
        self._endpoint = endpoint
        self._behaviour = behaviour
        self._tree = tree
        self._sensors = sensors
        self._observations = observations
        self._sink = sink
        self._stored: deque[tuple[Key, Entry]] = deque()
        self._sending: tuple[bytes, Entry] | None = None
        self._unconfirmed: deque[tuple[int, bytes]] = deque(maxlen=8)
        self._turn = 0
        self._last_time = 0.0
        self.due: float | None = None

    @property
    def sending(self) -> bool:
        """Whether a confirmable notification is under way."""
        return self._sending is not None

    @property
    def settled(self) -> bool:
        """Whether nothing is under way or waits."""
        return self._sending is None and not self._stored

    def measure(self, now: float) -> None:
        """If it is time: take every sensor's value, and store a notification for what is observed."""
        if self.due is None or now < self.due:
            return
        self.due = max(self.due + self._behaviour.interval_s, now)
        observations = [one for one in self._observations if any(path[:1] != FIRMWARE_UPDATE for path in one.paths)]
        if not observations:
            return
        self._sensors.measure(now)
        self._take_time(now)
        if not self._behaviour.every_observation:
            observations = [observations[self._turn % len(observations)]]
            self._turn += 1
        for observation in observations:
            if self._sink.permit():
                self._store(observation)

    def changed(self, paths: Collection[Path], now: float) -> None:
        """Store a notification for what is observed of these resources."""
        concerned = [
            one for one in self._observations if any(path[: len(of)] == of for of in one.paths for path in paths)
        ]
        if concerned:
            self._take_time(now)
        for observation in concerned:
            if self._sink.permit():
                self._store(observation)

    def _take_time(self, now: float) -> None:
        """To the millisecond, and never the same twice: (path, time) names a measurement in the ledger."""
        self._last_time = max(floor(now * 1000), round(self._last_time * 1000) + 1) / 1000

    def _store(self, observation: Observation) -> None:
        self._sink.statistics.notifications += 1
        entry = Entry(self._endpoint, observation.select(self._tree), observation.composite, self._last_time)
        self._stored.append((observation.paths, entry))
        if len(self._stored) > MAX_STORED:
            self._finish(self._stored.popleft()[1], Outcome.DROPPED)

    def next_message(self, mid: int, now: float) -> Message | None:
        """The oldest notification that the server now observes; None where nothing can be sent."""
        for item in self._stored:
            observation = self._observations.get(item[0])
            if observation is not None and not observation.stale:
                self._stored.remove(item)
                return self._message(observation, item[1], mid, now)
        return None

    def _message(self, observation: Observation, entry: Entry, mid: int, now: float) -> Message:
        entry.sent = now
        entry.transmissions = 1
        if self._behaviour.confirmable:
            self._sending = (observation.token, entry)
        else:
            self._unconfirmed.append((mid, observation.token))
            self._finish(entry, Outcome.UNCONFIRMED)
        return Message(
            Type.CON if self._behaviour.confirmable else Type.NON,
            Code.CONTENT,
            mid,
            observation.token,
            (
                (Option.OBSERVE, unsigned(observation.next_sequence())),
                (Option.CONTENT_FORMAT, unsigned(observation.content_format)),
            ),
            write(entry.leaves, observation.content_format, observation.base, entry.time),
        )

    def retransmitted(self) -> None:
        """The notification under way was sent once more."""
        if self._sending is not None:
            self._sending[1].transmissions += 1

    def acknowledged(self, first_sent: float, now: float) -> None:
        """The server acknowledged the notification under way."""
        assert self._sending is not None
        self._sending[1].acknowledged = now
        self._sink.statistics.latencies.append(now - first_sent)
        self._finish_sending(Outcome.ACKNOWLEDGED)

    def reset(self) -> None:
        """The server reset the notification under way: its observation is over. RFC 7641, 3.6."""
        assert self._sending is not None
        self._observations.cancel_token(self._sending[0])
        self._finish_sending(Outcome.RESET)

    def reset_unconfirmed(self, mid: int) -> None:
        """The server reset a non-confirmable notification."""
        for sent, token in self._unconfirmed:
            if sent == mid:
                self._observations.cancel_token(token)

    def timed_out(self) -> None:
        """The server was silent to the last transmission of the notification under way."""
        self._finish_sending(Outcome.TIMED_OUT)

    def abandon(self) -> None:
        """Give up everything that is not yet acknowledged."""
        if self._sending is not None:
            self._finish_sending(Outcome.UNFINISHED)
        while self._stored:
            self._finish(self._stored.popleft()[1], Outcome.UNFINISHED)

    def _finish_sending(self, outcome: Outcome) -> None:
        assert self._sending is not None
        (_, entry), self._sending = self._sending, None
        self._finish(entry, outcome)

    def _finish(self, entry: Entry, outcome: Outcome) -> None:
        self._sink.statistics.count(outcome)
        self._sink.record(entry, outcome)
