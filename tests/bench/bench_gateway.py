"""One gateway under load: notifications a second, how long until each is acknowledged, memory for each device.

`python tests/bench/bench_gateway.py [--devices 2000] [--notifications 40000] [--in-flight 200]` prints one JSON object.
The devices are raw sockets in a process of their own; each sends its next notification when the last is acknowledged,
so no more than `in-flight` wait at a time. NATS is the real one with its files on disk.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import selectors
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import nats
import psutil

from flownexus_schemas import jetstream
from flownexus_schemas.profiles import DEFAULT_KEY, ObservationProfile, SingleObservation
from flownexus_schemas.subjects import Bucket, Stream
from harness.embedded import running_nats
from harness.lockstep import ACK, CON, CONTENT, CONTENT_FORMAT, OBSERVE, POST, TLV, URI_PATH, URI_QUERY, datagram, uint
from harness.services import ServiceProcess

TLV_21_5 = b"\xe4\x16\x44\x41\xac\x00\x00"
FORMAT = (CONTENT_FORMAT, uint(TLV))
REGISTERING = 50
STALLED_S = 30.0


class Device:
    """One socket: its token once it is observed, when it sent last."""

    def __init__(self, number: int, port: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.endpoint = f"bench-{number}"
        self.token = b""
        self.message_id = 1
        self.sent_at = 0.0

    def send(self, data: bytes) -> None:
        self.socket.send(data)

    def receive(self) -> bytes:
        """One datagram; empty where it is none of CoAP."""
        return self.socket.recv(2048)

    def register(self) -> None:
        queries = (b"lwm2m=1.1", b"ep=%b" % self.endpoint.encode(), b"lt=3600")
        options = [(URI_PATH, b"rd"), *((URI_QUERY, query) for query in queries), (CONTENT_FORMAT, b"\x28")]
        self.send(datagram(CON, POST, self.message_id, b"r", options, b"</>;ct=112,</3/0>,</3303/0>"))

    def answer(self, request: bytes) -> None:
        """The gateway observes: its token is that of the notifications."""
        self.token = request[4 : 4 + (request[0] & 15)]
        message_id = request[2] << 8 | request[3]
        self.send(datagram(ACK, CONTENT, message_id, self.token, [(OBSERVE, b""), FORMAT], TLV_21_5))

    def notify(self) -> None:
        self.message_id = self.message_id % 65535 + 1
        options = [(OBSERVE, uint(self.message_id)), FORMAT]
        self.sent_at = time.perf_counter()
        self.send(datagram(CON, CONTENT, self.message_id, self.token, options, TLV_21_5))


def register_all(selector: selectors.BaseSelector, devices: Sequence[Device]) -> None:
    """Register every device and let each be observed."""
    waiting, observed, started = deque(devices), 0, time.monotonic()
    for _ in range(min(REGISTERING, len(devices))):
        waiting.popleft().register()
    while observed < len(devices):
        if time.monotonic() - started > STALLED_S + len(devices) / 20:
            raise TimeoutError(f"{observed} of {len(devices)} devices were observed")
        for key, _ in selector.select(1):
            device: Device = key.data
            data = device.receive()
            if data[1:2] == b"\x01":  # GET
                device.answer(data)
                observed += 1
                if waiting:
                    waiting.popleft().register()


def notify_all(selector: selectors.BaseSelector, devices: Sequence[Device], total: int, in_flight: int) -> list[float]:
    """Seconds from each notification to its acknowledgement."""
    idle, sent = deque(devices), 0
    latencies: list[float] = []
    for _ in range(min(in_flight, len(devices), total)):
        idle.popleft().notify()
        sent += 1
    while len(latencies) < total:
        events = selector.select(STALLED_S)
        if not events:
            raise TimeoutError(f"{len(latencies)} of {total} notifications were acknowledged")
        for key, _ in events:
            device: Device = key.data
            data = device.receive()
            if data[:1] != b"\x60" or data[2] << 8 | data[3] != device.message_id:
                continue
            latencies.append(time.perf_counter() - device.sent_at)
            idle.append(device)
            if sent < total:
                idle.popleft().notify()
                sent += 1
    return latencies


def generate(pipe: Connection, port: int, count: int, total: int, in_flight: int) -> None:
    """The process of the devices: register, say so, wait, notify, tell the latencies."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(limit, count + 200), limit))
    selector = selectors.DefaultSelector()
    devices = [Device(number, port) for number in range(count)]
    for device in devices:
        selector.register(device.socket, selectors.EVENT_READ, device)
    started = time.perf_counter()
    register_all(selector, devices)
    pipe.send(time.perf_counter() - started)
    pipe.recv()
    started = time.perf_counter()
    latencies = notify_all(selector, devices, total, in_flight)
    pipe.send((time.perf_counter() - started, latencies))


async def provision(url: str) -> None:
    client = await nats.connect(url)
    js = client.jetstream()
    await jetstream.provision(js)
    profile = ObservationProfile(observe=(SingleObservation(path="3303/0/5700"),))
    await (await js.key_value(Bucket.OBSERVATION_PROFILES)).put(DEFAULT_KEY, profile.model_dump_json().encode())
    await client.close()


async def stored_events(url: str) -> int:
    client = await nats.connect(url)
    messages = (await client.jetstream().stream_info(Stream.EVENTS)).state.messages
    await client.close()
    return messages


def percentile(ordered: list[float], share: float) -> float:
    return round(ordered[int(share * (len(ordered) - 1))] * 1000, 2)


def measure(devices: int, total: int, in_flight: int) -> dict[str, float | int]:
    """Everything in one run."""
    with tempfile.TemporaryDirectory() as name, running_nats(Path(name)) as server:
        asyncio.run(provision(server.url))
        env = {"FLOWNEXUS_NATS_URL": server.url, "FLOWNEXUS_LOG_LEVEL": "warning"}
        gateway = ServiceProcess("flownexus_gateway", env, Path(name))
        gateway.start()
        try:
            process = psutil.Process(gateway.pid)
            rss_before = process.memory_info().rss
            ours, theirs = multiprocessing.Pipe()
            port = int(gateway.env["FLOWNEXUS_COAP_PORT"])
            generator = multiprocessing.get_context("spawn").Process(
                target=generate, args=(theirs, port, devices, total, in_flight)
            )
            generator.start()
            registering_s = ours.recv()
            rss_devices = process.memory_info().rss
            cpu_before = sum(process.cpu_times()[:2])
            ours.send("go")
            took_s, latencies = ours.recv()
            cpu_s = sum(process.cpu_times()[:2]) - cpu_before
            rss_after = process.memory_info().rss
            generator.join()
            ordered = sorted(latencies)
            return {
                "devices": devices,
                "registrations_per_s": round(devices / registering_s),
                "rss_kib_per_device": round((rss_devices - rss_before) / devices / 1024, 1),
                "rss_mib_after": round(rss_after / 2**20),
                "notifications": total,
                "in_flight": in_flight,
                "notifications_per_s": round(total / took_s),
                "gateway_cpu_us_per_notification": round(cpu_s / total * 1e6, 1),
                "ack_p50_ms": percentile(ordered, 0.5),
                "ack_p95_ms": percentile(ordered, 0.95),
                "ack_p99_ms": percentile(ordered, 0.99),
                "events_stored": asyncio.run(stored_events(server.url)),
                "load_of_machine": round(os.getloadavg()[0], 1),
            }
        finally:
            gateway.kill()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--devices", type=int, default=2000)
    parser.add_argument("--notifications", type=int, default=40_000)
    parser.add_argument("--in-flight", type=int, default=200)
    given = parser.parse_args()
    print(json.dumps(measure(given.devices, given.notifications, given.in_flight), indent=2))


if __name__ == "__main__":
    main()
