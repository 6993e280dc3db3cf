"""A simulated device, a clock, and the server's side of the wire, whose bytes are put together here by hand."""

from __future__ import annotations

import struct
from random import Random

from flownexus_simulator.behaviour import Behaviour
from flownexus_simulator.coap import Message, decode
from flownexus_simulator.device import Device
from flownexus_simulator.downloads import Download
from flownexus_simulator.ledger import Entry, Outcome, Served
from flownexus_simulator.reporting import Sink
from flownexus_simulator.statistics import Statistics

START = 1_800_000_000.0
CON, NON, ACK, RST = range(4)
GET, POST, PUT, DELETE, FETCH = 1, 2, 3, 4, 5
CREATED, DELETED, CHANGED, CONTENT = 0x41, 0x42, 0x44, 0x45
SENML_CBOR = b"\x70"


def option(number: int, value: bytes, after: int = 0) -> bytes:
    """One option, its delta below 13 or extended by a byte. RFC 7252, 3.1."""
    delta = number - after
    head = bytes((min(delta, 13) << 4 | len(value),)) + (bytes((delta - 13,)) if delta >= 13 else b"")
    return head + value


def datagram(
    kind: int,
    code: int,
    mid: int,
    token: bytes = b"",
    options: tuple[tuple[int, bytes], ...] = (),
    *,
    payload: bytes = b"",
) -> bytes:
    """A CoAP message by hand."""
    out = bytes((0x40 | kind << 4 | len(token), code)) + struct.pack(">H", mid) + token
    before = 0
    for number, value in options:
        out += option(number, value, before)
        before = number
    return out + (b"\xff" + payload if payload else b"")


class Fetches:
    """What the device wanted to be fetched; empty where it stopped."""

    def __init__(self) -> None:
        self.wanted: list[tuple[str, int]] = []

    def start(self, uri: str, offset: int) -> None:
        self.wanted.append((uri, offset))

    def stop(self) -> None:
        self.wanted.clear()


class Bench:
    """A device, a clock and the server's side of the wire."""

    def __init__(self, behaviour: Behaviour | None = None) -> None:
        self.now = START
        self.outbox: list[bytes] = []
        self.fates: list[tuple[Entry, Outcome]] = []
        self.statistics = Statistics()
        self.served: list[Served] = []

        def record(entry: Entry, outcome: Outcome) -> None:
            self.fates.append((entry, outcome))

        sink = Sink(self.statistics, record, lambda: True, self.served.append)
        chosen = behaviour or Behaviour(interval_s=1.0)
        self.fetcher = Fetches()
        self.downloads: list[Download] = []
        sink = sink._replace(downloaded=lambda _, download: self.downloads.append(download))
        self.device = Device(
            "sim-1", chosen, Random(7), START, send=self.outbox.append, sink=sink, fetcher=self.fetcher
        )
        self.mid = 0x7000

    def sent(self) -> list[Message]:
        """What the device has sent since the last look."""
        messages = [decode(item) for item in self.outbox]
        self.outbox.clear()
        return messages

    def one(self) -> Message:
        """The only message since the last look."""
        (message,) = self.sent()
        return message

    def give(self, data: bytes) -> None:
        self.device.receive(data, self.now)

    def answer(self, request: Message, code: int, options: tuple[tuple[int, bytes], ...] = ()) -> None:
        """Piggybacked response."""
        self.give(datagram(ACK, code, request.mid, request.token, options))

    def request(self, code: int, options: tuple[tuple[int, bytes], ...], payload: bytes = b"",
                token: bytes = b"T1") -> Message:  # fmt: skip
        """A request of the server, and the device's answer to it."""
        self.mid += 1
        self.give(datagram(CON, code, self.mid, token, options, payload=payload))
        return self.sent()[0]

    def observe_temperature(self, token: bytes = b"T1") -> Message:
        path = ((11, b"3303"), (11, b"0"), (11, b"5700"))
        return self.request(GET, ((6, b""), *path, (17, SENML_CBOR)), token=token)

    def pass_until_due(self) -> None:
        """Let the time pass until the device wants something, and let it do that."""
        due = self.device.due()
        assert due is not None
        self.now = max(self.now, due)
        self.device.tick(self.now)

    def register(self) -> None:
        self.device.start(self.now)
        self.answer(self.one(), CREATED, ((8, b"rd"), (8, b"a1")))


def registered(behaviour: Behaviour | None = None) -> Bench:
    bench = Bench(behaviour)
    bench.register()
    return bench
