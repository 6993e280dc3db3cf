"""A datagram at which something fails: those that come after it are taken."""

from __future__ import annotations

import asyncio
import socket
from functools import partial

from aiocoap.numbers.codes import Code

from flownexus_gateway.downlink.coap_client import CoapClient, DeviceRequest
from flownexus_gateway.downlink.request_tokens import RequestTokens
from flownexus_gateway.transport.datagram import read_header
from flownexus_gateway.transport.peer import Peer
from flownexus_gateway.transport.udp_socket import UdpSocket, bind
from harness.lockstep import ACK, CONTENT, datagram
from harness.waiting import until


async def test_a_datagram_at_which_its_taker_fails_does_not_end_the_reading() -> None:
    taken: list[bytes] = []

    def take(data: bytes, _: Peer) -> None:
        taken.append(data)
        if data.startswith(b"bad"):
            raise RuntimeError("a bug")

    sock = UdpSocket(bind("127.0.0.1", 0))
    sock.start(take)
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            # The first after a silence, one of several at once, and one after that.
            for batch in ((b"bad 1",), (b"good 1", b"bad 2", b"good 2"), (b"good 3",)):
                for data in batch:
                    sender.sendto(data, ("127.0.0.1", sock.port))
                await until(partial(taken.__contains__, batch[-1]), what=f"{batch[-1]!r} is taken")
    finally:
        sock.close()
    assert taken == [b"bad 1", b"good 1", b"bad 2", b"good 2", b"good 3"]


async def test_an_answer_right_after_its_request_was_given_up_is_dropped() -> None:
    sent: list[bytes] = []
    peer = Peer(("192.0.2.1", 5683), None, lambda data, _: sent.append(data))
    client = CoapClient(RequestTokens("gw-1"))
    try:
        asking = asyncio.create_task(
            client.request(peer, DeviceRequest(Code.GET, ("3", "0", "0"), token=b"token-01"), 30)
        )
        await until(lambda: bool(sent), what="the request is sent")
        header = read_header(sent[0])
        answer = datagram(ACK, CONTENT, header.message_id, header.token, [], b"maker")
        asking.cancel()  # aiocoap hears of it in the next turn of the loop
        client.dispatch(answer, peer)
        await asyncio.wait([asking])
        assert asking.cancelled()
    finally:
        await client.shutdown()
