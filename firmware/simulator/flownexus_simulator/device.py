"""A simulated LwM2M client: datagrams and time in, datagrams out. It opens no socket and reads no clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from random import Random

from flownexus_simulator import equipment, object5
from flownexus_simulator.behaviour import Behaviour
from flownexus_simulator.coap import Code, MalformedMessage, Message, Option, Type, decode, encode
from flownexus_simulator.downloads import Fetched, Fetcher, FetchFailed, Part
from flownexus_simulator.firmware import Firmware, Restart
from flownexus_simulator.ledger import Served
from flownexus_simulator.observations import Observations
from flownexus_simulator.package_blocks import PackageBlocks
from flownexus_simulator.registering import BOOT_S, Kind, Registering, Standing
from flownexus_simulator.reliability import Answered, Transmission, Transmitter
from flownexus_simulator.reporting import Reporting, Sink
from flownexus_simulator.requests import Effect, Responder

SEPARATE_RESPONSE_S = 60.0
"""How long a device waits for the response after an empty acknowledgement."""


@dataclass(slots=True)
class Asked:
    """A request of the device that is not yet answered. `deadline` is set once an empty acknowledgement came."""

    kind: Kind
    token: bytes
    deadline: float | None = None


class Device:
    """Times are Unix seconds. `send` takes each datagram to the server; `reconnect` is called where the server does not
    answer, and after a restart.
    """

    def __init__(
        self,
        endpoint: str,
        behaviour: Behaviour,
        random: Random,
        now: float,
        *,
        send: Callable[[bytes], None],
        sink: Sink,
        fetcher: Fetcher,
        reconnect: Callable[[], None] = lambda: None,
    ) -> None:
        self.endpoint = endpoint
        self._behaviour = behaviour
        self._random = random
        self._send, self._reconnect = send, reconnect
        self._statistics, self._served = sink.statistics, sink.served
        binding = "UQ" if behaviour.queue_mode else "U"
        self._tree = equipment.build(endpoint, behaviour.lifetime_s, binding, now, behaviour.firmware)
        sensors = equipment.Sensors(self._tree, random, now)
        self._firmware = Firmware(
            self._tree, behaviour.firmware, fetcher, lambda download: sink.downloaded(endpoint, download)
        )
        self._package = PackageBlocks(self._firmware, behaviour.firmware.block_size)
        self._observations = Observations()
        self._responder = Responder(self._tree, sensors, self._firmware, self._package, self._observations)
        self._registering = Registering(endpoint, self._tree, random, queue_mode=behaviour.queue_mode)
        self._reporting = Reporting(endpoint, behaviour, self._tree, sensors, self._observations, sink=sink)
        self._transmitter = Transmitter(random)
        self._answered = Answered()
        self._asked: Asked | None = None
        self._answered_token = b""
        self._mid = random.randrange(1 << 16)
        self._active_at = now
        self._deaf_until = now

    @property
    def standing(self) -> Standing:
        """Where the device stands with the server."""
        return self._registering.standing

    @property
    def settled(self) -> bool:
        """Whether no notification is under way or waits to be sent."""
        return self._reporting.settled

    def due(self) -> float | None:
        """When `tick` is wanted next."""
        waiting = self._registering.due
        if self._transmitter.current is not None:
            waiting = self._transmitter.current.due
        elif self._asked is not None:
            waiting = self._asked.deadline
        times = (waiting, self._firmware.due, self._reporting.due)
        return min((time for time in times if time is not None), default=None)

    def start(self, now: float) -> None:
        """Switch on: register, and measure from a moment of its own within the first interval."""
        self._registering.begin(now)
        self._reporting.due = now + self._random.random() * self._behaviour.interval_s
        self._proceed(now)

    def stop_measuring(self) -> None:
        """Make no more notifications; what is stored is still sent."""
        self._reporting.due = None

    def leave(self, now: float) -> None:
        """Give up what is not yet sent and deregister."""
        self.stop_measuring()
        register_under_way = self._asked is not None and self._asked.kind is Kind.REGISTER
        if not register_under_way:
            self._asked = None
            self._transmitter.current = None
        self._reporting.abandon()
        self._registering.leave(now, register_under_way=register_under_way)
        self._proceed(now)

    def tick(self, now: float) -> None:
        """Do what has fallen due."""
        match self._transmitter.expire(now):
            case bytes() as datagram:
                self._statistics.retransmissions += 1
                self._reporting.retransmitted()
                self._put(datagram, now)
            case Transmission():
                self._given_up(now)
            case None:
                pass
        if self._asked is not None and self._asked.deadline is not None and now >= self._asked.deadline:
            self._unanswered(now)
        self._firmware.advance(now)
        self._reporting.measure(now)
        self._follow_firmware(now)
        self._proceed(now)

    def fetched(self, event: Part | Fetched | FetchFailed, now: float) -> None:
        """Take what came of a download that the fetcher was told to start."""
        self._active_at = now
        self._firmware.take(event)
        self._follow_firmware(now)
        self._proceed(now)

    def receive(self, datagram: bytes, now: float) -> None:
        """Take a datagram of the server. What is no CoAP, or comes while the device sleeps, is ignored."""
        if now < self._deaf_until or self._asleep(now):
            return
        try:
            message = decode(datagram)
            if message.is_request:
                self._answer(message, now)
            elif message.is_response:
                self._take_response(message, now)
            elif message.code == Code.EMPTY:
                self._take_empty(message, now)
        except MalformedMessage:
            return
        self._follow_firmware(now)
        self._proceed(now)

    def _follow_firmware(self, now: float) -> None:
        """Tell of what changed, and restart where the firmware wants it."""
        if self._firmware.is_changed:
            self._firmware.is_changed = False
            self._reporting.changed(object5.TOLD, now)
        restart, self._firmware.restart = self._firmware.restart, None
        if restart is Restart.AGAIN:
            self._restart(now)
        elif restart is Restart.NEVER_HEARD:
            self._vanish()

    def _asleep(self, now: float) -> bool:
        return (
            self._behaviour.queue_mode
            and self._transmitter.idle
            and self._asked is None
            and not self._firmware.is_fetching
            and now - self._active_at > self._behaviour.awake_window_s
        )

    def _put(self, datagram: bytes, now: float) -> None:
        self._active_at = now
        self._send(datagram)

    def _next_mid(self) -> int:
        self._mid = (self._mid + 1) & 0xFFFF
        return self._mid

    def _proceed(self, now: float) -> None:
        """Send what may be sent: one confirmable message at a time, registration first."""
        if not self._transmitter.idle or self._asked is not None:
            return
        registering = self._registering
        if registering.due is not None and now >= registering.due:
            self._ask(registering.kind(), now)
            return
        while registering.standing is Standing.REGISTERED:
            message = self._reporting.next_message(self._next_mid(), now)
            if message is None:
                return
            self._transmit(message, now)
            if message.type == Type.CON:
                return

    def _transmit(self, message: Message, now: float) -> None:
        datagram = encode(message)
        if message.type == Type.CON:
            self._transmitter.start(message.mid, datagram, now)
        self._put(datagram, now)

    def _ask(self, kind: Kind, now: float) -> None:
        if kind is Kind.REGISTER:
            self._observations.make_stale()
        self._asked = Asked(kind, self._random.randbytes(8))
        self._transmit(self._registering.message(kind, self._next_mid(), self._asked.token), now)

    def _given_up(self, now: float) -> None:
        self._reconnect()
        if self._reporting.sending:
            self._reporting.timed_out()
            self._registering.begin(now)
        else:
            self._unanswered(now)

    def _unanswered(self, now: float) -> None:
        if self._asked is not None:
            kind, self._asked = self._asked.kind, None
            self._registering.unanswered(kind, now)

    def _restart(self, now: float) -> None:
        self._fall_silent()
        self._reconnect()
        self._deaf_until = now + BOOT_S
        self._firmware.booted(self._deaf_until)
        self._firmware.is_changed = False
        self._registering.begin(self._deaf_until)

    def _vanish(self) -> None:
        self._fall_silent()
        self.stop_measuring()
        self._deaf_until = inf
        self._registering.vanish()

    def _fall_silent(self) -> None:
        """What is under way or remembered is gone."""
        self._asked = None
        self._transmitter.current = None
        self._answered = Answered()
        self._package.forget()
        self._reporting.abandon()
        self._observations.make_stale()

    def _answer(self, request: Message, now: float) -> None:
        if request.type not in {Type.CON, Type.NON}:
            return
        known = self._answered.recall(request.mid, request.token, now)
        if known is not None:
            self._put(known, now)
            return
        path = "/".join(request.texts(Option.URI_PATH))
        if path.startswith("5/") and not self._firmware.answers:
            return
        self._statistics.requests += 1
        answer = self._responder.answer(request, now)
        is_lost = answer.block1 is not None and self._firmware.is_stuck
        if is_lost or self._firmware.restart is not None:
            return  # it restarts, or hangs, before it can answer
        payload = request.payload if answer.block1 is None else b""
        self._served(Served(self.endpoint, Code(request.code), path, payload, answer.code, now))
        piggybacked = request.type == Type.CON
        kind, mid = (Type.ACK, request.mid) if piggybacked else (Type.NON, self._next_mid())
        datagram = encode(Message(kind, answer.code, mid, request.token, answer.options, answer.payload))
        self._answered.remember(request.mid, request.token, datagram, now)
        self._put(datagram, now)
        if answer.effect is Effect.UPDATE:
            self._registering.update_soon(now)
        elif answer.effect is Effect.RESTART:
            self._restart(now)

    def _take_response(self, response: Message, now: float) -> None:
        asked = self._asked
        mine = asked is not None and asked.token == response.token
        if response.type == Type.CON:
            expected = mine or response.token == self._answered_token
            self._put(encode(Message(Type.ACK if expected else Type.RST, Code.EMPTY, response.mid)), now)
        if asked is None or not mine:
            return
        self._transmitter.current = None
        self._asked = None
        self._answered_token = response.token
        accepted = self._registering.answered(asked.kind, response, now)
        self._statistics.answered(asked.kind, accepted=accepted)
        if asked.kind is Kind.REGISTER and accepted:
            self._observations.drop_stale()

    def _take_empty(self, message: Message, now: float) -> None:
        if message.type == Type.CON:
            self._put(encode(Message(Type.RST, Code.EMPTY, message.mid)), now)
            return
        ended = self._transmitter.acknowledged(message.mid)
        if ended is None:
            if message.type == Type.RST:
                self._reporting.reset_unconfirmed(message.mid)
        elif self._reporting.sending:
            if message.type == Type.RST:
                self._reporting.reset()
            else:
                self._reporting.acknowledged(ended.first_sent, now)
        elif self._asked is not None:
            if message.type == Type.RST:
                self._unanswered(now)
            else:
                self._asked.deadline = now + SEPARATE_RESPONSE_S
