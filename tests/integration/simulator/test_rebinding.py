"""The NAT of the simulator: every datagram from another port, and the last ports still lead to the device."""

from __future__ import annotations

import asyncio
import socket
from random import Random

from flownexus_simulator.link import OPEN_PORTS, Impairment, Link
from harness.waiting import until


async def test_each_datagram_comes_from_another_port_and_the_last_ports_lead_back() -> None:
    heard: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(5)
        link = Link(Impairment(rebinding=True), Random(1), heard.append)
        await asyncio.get_running_loop().create_datagram_endpoint(link.itself, remote_addr=server.getsockname())
        try:
            ports = []
            for number in range(OPEN_PORTS + 2):
                link.send(b"%d" % number)
                data, address = await asyncio.to_thread(server.recvfrom, 100)
                assert data == b"%d" % number
                ports.append(address)
            for address in ports:
                server.sendto(b"to %d" % address[1], address)

            await until(lambda: len(heard) >= OPEN_PORTS, what="datagrams on the ports that are open")
        finally:
            link.close()

    assert len(set(ports)) == len(ports)
    assert sorted(heard) == sorted(b"to %d" % address[1] for address in ports[-OPEN_PORTS:])
