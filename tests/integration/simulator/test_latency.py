"""The latency of the simulator's way: each datagram arrives so much later, both ways."""

from __future__ import annotations

import asyncio
import socket
import time
from random import Random

from flownexus_simulator.link import Impairment, Link
from harness.waiting import until

LATENCY_S = 0.2


async def test_each_datagram_arrives_later_by_the_latency_both_ways() -> None:
    heard: list[float] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        link = Link(Impairment(latency_s=LATENCY_S), Random(1), lambda _: heard.append(time.monotonic()))
        await asyncio.get_running_loop().create_datagram_endpoint(link.itself, remote_addr=server.getsockname())
        try:
            sent = time.monotonic()
            link.send(b"there")
            data, address = await asyncio.to_thread(server.recvfrom, 100)
            arrived = time.monotonic()
            server.sendto(b"and back", address)
            await until(lambda: heard, what="the answer")
        finally:
            link.close()

    assert data == b"there"
    assert arrived - sent >= LATENCY_S
    assert heard[0] - arrived >= LATENCY_S
