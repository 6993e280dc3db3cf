"""Many devices on one event loop: their sockets, timers, start and end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from random import Random

import structlog

from flownexus_simulator.alarm import Alarm
from flownexus_simulator.behaviour import Behaviour
from flownexus_simulator.device import Device
from flownexus_simulator.downloads import Download, Fetched, FetchFailed, Part
from flownexus_simulator.fetching import Fetching
from flownexus_simulator.ledger import Entry, Ledger, Outcome, Served
from flownexus_simulator.link import Impairment, Link
from flownexus_simulator.psk_keys import Psk
from flownexus_simulator.registering import Standing
from flownexus_simulator.reporting import Sink
from flownexus_simulator.secure_channel import SecureChannel
from flownexus_simulator.statistics import Statistics

log = structlog.get_logger(__name__)

MAX_TRANSMIT_WAIT_S = 93.0
LEAVE_WAIT_S = 3.0
POLL_S = 0.05
START_BATCH_S = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """What a fleet is and does. `starts_per_s`: how many devices switch on in a second. `count`: notifications to
    make, `duration_s`: seconds to make them in; None for without end. `allow_remote`: devices fetch firmware from other
    machines too. `keys`: by endpoint, for a server with DTLS.
    """

    devices: int
    prefix: str
    host: str
    port: int
    behaviour: Behaviour
    impairment: Impairment
    seed: int | None = None
    starts_per_s: float = 200.0
    count: int | None = None
    duration_s: float | None = None
    allow_remote: bool = False
    keys: Mapping[str, Psk] | None = None
    connection_ids: bool = True

    def endpoints(self) -> list[str]:
        """The names of the devices."""
        return [f"{self.prefix}-{number:05}" for number in range(self.devices)]


class _Seat:
    """A device with its socket, its DTLS where it has that, its downloads and its timer."""

    def __init__(
        self,
        device: Device,
        link: Link,
        channel: SecureChannel | None,
        fetching: Fetching,
        clock: Callable[[], float],
    ) -> None:
        self.device, self.link, self._channel = device, link, channel
        self._fetching, self._clock = fetching, clock
        self._alarm = Alarm(self._due, self._tick, clock)

    def receive(self, datagram: bytes) -> None:
        """A datagram of the server."""
        now = self._clock()
        for data in [datagram] if self._channel is None else self._channel.receive(datagram, now):
            self.device.receive(data, now)
        self.arm()

    def fetched(self, event: Part | Fetched | FetchFailed) -> None:
        """What came of a download."""
        self.device.fetched(event, self._clock())
        self.arm()

    def arm(self) -> None:
        """See to it that the device is called when it wants to be."""
        self._alarm.arm()

    def close(self) -> None:
        """Stop the timer and the download, and close the socket."""
        self._alarm.cancel()
        self._fetching.stop()
        if self._channel is not None:
            self._channel.close()
        self.link.close()

    def _due(self) -> float | None:
        wanted = self.device.due()
        handshake = None if self._channel is None else self._channel.due()
        return min((time for time in (wanted, handshake) if time is not None), default=None)

    def _tick(self, now: float) -> None:
        if self._channel is not None:
            self._channel.tick(now)
        due = self.device.due()
        if due is not None and due <= now:
            self.device.tick(now)


class Fleet:
    """One run of a plan. Unix time is taken once and carried on by the monotonic clock."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger | None = None,
        request_ledger: Ledger | None = None,
        firmware_ledger: Ledger | None = None,
    ) -> None:
        self.statistics = Statistics()
        self._plan = plan
        self._ledger, self._request_ledger, self._firmware_ledger = ledger, request_ledger, firmware_ledger
        self._random = Random(plan.seed)  # noqa: S311 (no secret)
        self._seats: list[_Seat] = []
        self._epoch = time.time() - time.monotonic()
        self._started = time.monotonic()
        self._measuring = True
        self._registered_at_end = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`, or until the plan is done and every notification has met its fate; then deregister."""
        self._started = time.monotonic()
        starting = asyncio.create_task(self._start_devices())

        def stop_if_failed(task: asyncio.Task[None]) -> None:
            if not task.cancelled() and task.exception() is not None:
                stop.set()

        starting.add_done_callback(stop_if_failed)
        try:
            await self._wait_for_end(stop)
        finally:
            starting.cancel()
            (failure,) = await asyncio.gather(starting, return_exceptions=True)
            await self._leave()
        if isinstance(failure, Exception):
            raise failure

    def registered(self) -> int:
        """Devices that are registered now."""
        return sum(seat.device.standing is Standing.REGISTERED for seat in self._seats)

    def summary(self) -> dict[str, object]:
        """The figures of the run; `registered` as it was before the devices left."""
        return self.statistics.summary(self._plan.devices, self._registered_at_end, time.monotonic() - self._started)

    def _now(self) -> float:
        return self._epoch + time.monotonic()

    async def _start_devices(self) -> None:
        loop = asyncio.get_running_loop()
        for number, endpoint in enumerate(self._plan.endpoints()):
            ahead = number / self._plan.starts_per_s - (time.monotonic() - self._started)
            if ahead > START_BATCH_S:
                await asyncio.sleep(ahead)
            seat = self._seat(endpoint)
            await loop.create_datagram_endpoint(seat.link.itself, remote_addr=(self._plan.host, self._plan.port))
            self._seats.append(seat)
            seat.device.start(self._now())
            seat.arm()
        log.info("fleet.started", devices=self._plan.devices)

    def _seat(self, endpoint: str) -> _Seat:
        random = Random(self._random.getrandbits(64))  # noqa: S311 (no secret)
        way = Random(random.getrandbits(64))  # noqa: S311 (no secret)

        plan = self._plan

        def receive(datagram: bytes) -> None:
            seat.receive(datagram)

        def deliver(event: Part | Fetched | FetchFailed) -> None:
            seat.fetched(event)

        link = Link(plan.impairment, way, receive)
        fetching = Fetching(
            plan.behaviour.firmware,
            plan.impairment,
            way,
            clock=self._now,
            deliver=deliver,
            allow_remote=plan.allow_remote,
        )
        sink = Sink(self.statistics, self._record, self._permit, self._record_served, self._record_download)
        channel = self._channel(endpoint, link)
        device = Device(
            endpoint,
            plan.behaviour,
            random,
            self._now(),
            send=link.send if channel is None else lambda data: channel.send(data, self._now()),
            sink=sink,
            fetcher=fetching,
            reconnect=_stay if channel is None else channel.anew,
        )
        seat = _Seat(device, link, channel, fetching, self._now)
        return seat

    def _channel(self, endpoint: str, link: Link) -> SecureChannel | None:
        keys = self._plan.keys
        if keys is None:
            return None
        return SecureChannel(keys[endpoint], self.statistics, link.send, connection_ids=self._plan.connection_ids)

    def _permit(self) -> bool:
        return self._measuring and (self._plan.count is None or self.statistics.notifications < self._plan.count)

    def _record(self, entry: Entry, outcome: Outcome) -> None:
        if self._ledger is not None:
            self._ledger.write(entry, outcome)

    def _record_served(self, served: Served) -> None:
        if self._request_ledger is not None:
            self._request_ledger.write_served(served)

    def _record_download(self, endpoint: str, download: Download) -> None:
        if self._firmware_ledger is not None:
            self._firmware_ledger.write_download(endpoint, download, self._now())

    async def _wait_for_end(self, stop: asyncio.Event) -> None:
        deadline = None if self._plan.duration_s is None else self._started + self._plan.duration_s
        while not stop.is_set() and self._permit() and (deadline is None or time.monotonic() < deadline):
            await _pause(stop)
        self._measuring = False
        deadline = time.monotonic() + MAX_TRANSMIT_WAIT_S
        while not stop.is_set() and time.monotonic() < deadline and not all(s.device.settled for s in self._seats):
            await _pause(stop)

    async def _leave(self) -> None:
        self._registered_at_end = self.registered()
        for seat in self._seats:
            seat.device.leave(self._now())
            seat.arm()
        deadline = time.monotonic() + LEAVE_WAIT_S
        staying = asyncio.Event()
        while time.monotonic() < deadline and any(s.device.standing is not Standing.GONE for s in self._seats):
            await _pause(staying)
        for seat in self._seats:
            seat.close()


def _stay() -> None:
    """Without DTLS there is nothing to connect."""


async def _pause(stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), POLL_S)
    except TimeoutError:
        return
