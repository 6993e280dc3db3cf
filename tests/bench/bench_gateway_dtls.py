"""One gateway under notifications over DTLS and over plain CoAP, in turns; memory of sessions that are open and idle.

`python tests/bench/bench_gateway_dtls.py [--devices 1000] [--notifications 15000] [--turns 3] [--sessions 5000]` prints
one JSON object. The devices are those of bench_gateway.py, half of them over DTLS (TLS_PSK_WITH_AES_128_CCM_8 with
connection ids), whose records the tests' own client writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import select
import selectors
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from pathlib import Path
from typing import NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
from pydantic import SecretStr

from bench.bench_gateway import Device, notify_all, percentile, provision, register_all
from harness.dtls_client import APPLICATION_DATA, DtlsClient
from harness.embedded import running_nats
from harness.fleet_keys import put_credentials
from harness.lockstep import CON, datagram
from harness.metrics import metric_at
from harness.ports import free_port
from harness.services import ServiceProcess
from harness.waiting import blocking_until

KEY = bytes(range(16))
SEALING_KEY = "a key of the benchmark and of nobody else"
CONNECTING = 16
PLAIN, SECURE = "plain", "dtls"


class SecureDevice(Device):
    """The same with a session of its own, which `connect` makes."""

    def __init__(self, number: int, port: int) -> None:
        super().__init__(number, port)
        self.endpoint = f"secure-{number}"
        self._readable = select.poll()
        self._readable.register(self.socket, select.POLLIN)
        self.dtls = DtlsClient(self._transmit, self._datagram, self.endpoint.encode(), KEY, cid=b"")

    def connect(self) -> None:
        """A handshake, and a ping that ends it."""
        self.dtls.handshake(60)
        self.dtls.send(datagram(CON, 0, 0))
        assert self.dtls.receive(60) is not None, "no answer to a ping"

    def send(self, data: bytes) -> None:
        self.socket.send(self.dtls.seal(APPLICATION_DATA, data))

    def receive(self) -> bytes:
        found = self.dtls.open(self.socket.recv(2048))
        self.dtls.server_numbers.clear()
        return found[0][1] if found and found[0][0] == APPLICATION_DATA else b""

    def _transmit(self, data: bytes) -> None:
        self.socket.send(data)

    def _datagram(self, timeout_s: float) -> bytes | None:
        return self.socket.recv(2048) if self._readable.poll(timeout_s * 1000) else None


class Load(NamedTuple):
    """What the process of the devices is told."""

    plain_port: int
    secure_port: int
    devices: int
    notifications: int
    turns: int
    sessions: int
    in_flight: int


def generate(pipe: Connection, load: Load) -> None:
    """The process of the devices: each step is told when it is done, and the next waits for a word."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, 2 * load.devices + load.sessions + 200), limit))
    plain = [Device(number, load.plain_port) for number in range(load.devices)]
    secure = [SecureDevice(number, load.secure_port) for number in range(load.devices)]
    _connect(secure)
    selector = {PLAIN: _selecting(plain), SECURE: _selecting(secure)}
    for kind, devices in ((PLAIN, plain), (SECURE, secure)):
        register_all(selector[kind], devices)
    _step(pipe, None)
    for _ in range(load.turns):
        for kind, devices in ((PLAIN, plain), (SECURE, secure)):
            begun = time.perf_counter()
            latencies = notify_all(selector[kind], devices, load.notifications, load.in_flight)
            _step(pipe, (time.perf_counter() - begun, latencies))
    idle = [SecureDevice(load.devices + number, load.secure_port) for number in range(load.sessions)]
    begun = time.perf_counter()
    _connect(idle)
    _step(pipe, time.perf_counter() - begun)


def _step(pipe: Connection, told: object) -> None:
    pipe.send(told)
    pipe.recv()


def _connect(devices: Sequence[SecureDevice]) -> None:
    with ThreadPoolExecutor(CONNECTING) as threads:
        list(threads.map(SecureDevice.connect, devices))


def _selecting(devices: Sequence[Device]) -> selectors.BaseSelector:
    selector = selectors.DefaultSelector()
    for device in devices:
        selector.register(device.socket, selectors.EVENT_READ, device)
    return selector


class Turn(NamedTuple):
    """One kind of devices in one turn."""

    kind: str
    per_s: float
    cpu_us: float
    latencies: list[float]


def measure(load: Callable[[int, int], Load]) -> dict[str, object]:
    """Everything in one run; `load` is given the ports."""
    with tempfile.TemporaryDirectory() as name, running_nats(Path(name)) as server:
        asyncio.run(provision(server.url))
        gateway = ServiceProcess(
            "flownexus_gateway",
            {
                "FLOWNEXUS_NATS_URL": server.url,
                "FLOWNEXUS_LOG_LEVEL": "warning",
                "FLOWNEXUS_COAPS_PORT": str(free_port("udp")),
                "FLOWNEXUS_CREDENTIALS_KEY": SEALING_KEY,
            },
            Path(name),
        )
        given = load(int(gateway.env["FLOWNEXUS_COAP_PORT"]), int(gateway.env["FLOWNEXUS_COAPS_PORT"]))
        names = [f"secure-{number}" for number in range(given.devices + given.sessions)]
        revision = asyncio.run(put_credentials(server.url, SecretStr(SEALING_KEY), dict.fromkeys(names, KEY)))
        gateway.start()
        known = "flownexus_gateway_credentials_revision"
        blocking_until(lambda: metric_at(gateway.health_url, known) >= revision, 60, "the credentials")
        try:
            return _measured(gateway, given)
        finally:
            gateway.kill()


def _measured(gateway: ServiceProcess, load: Load) -> dict[str, object]:
    process = psutil.Process(gateway.pid)
    ours, theirs = multiprocessing.Pipe()
    generator = multiprocessing.get_context("spawn").Process(target=generate, args=(theirs, load))
    generator.start()
    ours.recv()
    turns = []
    for _ in range(load.turns):
        for kind in (PLAIN, SECURE):
            before = sum(process.cpu_times()[:2])
            ours.send("go")
            took_s, latencies = ours.recv()
            cpu_s = sum(process.cpu_times()[:2]) - before
            turns.append(Turn(kind, load.notifications / took_s, cpu_s / load.notifications * 1e6, sorted(latencies)))
    rss_before, sessions = process.memory_info().rss, "flownexus_gateway_dtls_associations"
    ours.send("go")
    connecting_s = ours.recv()
    memory = process.memory_info().rss - rss_before
    count = metric_at(gateway.health_url, sessions)
    ours.send("go")
    generator.join()
    per_s = {kind: statistics.median(turn.per_s for turn in turns if turn.kind == kind) for kind in (PLAIN, SECURE)}
    return {
        "devices_of_each_kind": load.devices,
        "notifications_of_each_turn": load.notifications,
        "in_flight": load.in_flight,
        PLAIN: _summary(turns, PLAIN),
        SECURE: _summary(turns, SECURE),
        "dtls_of_plain": round(per_s[SECURE] / per_s[PLAIN], 2),
        "sessions": round(count),
        "bytes_of_an_idle_session": round(memory / load.sessions),
        "new_sessions_per_s": round(load.sessions / connecting_s),
        "load_of_machine": round(os.getloadavg()[0], 1),
    }


def _summary(turns: Sequence[Turn], kind: str) -> dict[str, object]:
    of_kind = [turn for turn in turns if turn.kind == kind]
    all_latencies = sorted(latency for turn in of_kind for latency in turn.latencies)
    return {
        "notifications_per_s": [round(turn.per_s) for turn in of_kind],
        "gateway_cpu_us_per_notification": [round(turn.cpu_us, 1) for turn in of_kind],
        "ack_p50_ms": percentile(all_latencies, 0.5),
        "ack_p95_ms": percentile(all_latencies, 0.95),
        "ack_p99_ms": percentile(all_latencies, 0.99),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--notifications", type=int, default=15_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=5000)
    parser.add_argument("--in-flight", type=int, default=200)
    given = parser.parse_args()

    def load(plain_port: int, secure_port: int) -> Load:
        return Load(
            plain_port, secure_port, given.devices, given.notifications, given.turns, given.sessions, given.in_flight
        )

    print(json.dumps(measure(load), indent=2))


if __name__ == "__main__":
    main()
