"""A simulated device that fetches an image by CoAP, against a server played by the test, datagram by datagram."""

from __future__ import annotations

from random import Random

import pytest

from flownexus_simulator.coap import Message, Option, decode
from flownexus_simulator.coap_pull import CoapPull
from flownexus_simulator.downloads import Fetched, FetchFailed, Part
from flownexus_simulator.object5 import Result
from unit.simulator.bench import ACK, CON, CONTENT, GET, datagram

URI = "coap://127.0.0.1:5683/fw/1.ab/aa/u-1?dropped=1"
IMAGE = bytes(range(256)) * 5 + b"end"  # 1,283 bytes
MORE, SIZE_256, SIZE_512 = 8, 4, 5
NOT_FOUND, UNAVAILABLE = 0x84, 0xA3


class Server:
    """Has the image, and gives a block where the test says so."""

    def __init__(self, offset: int = 0, bytes_per_s: float | None = None) -> None:
        self.now = 1000.0
        self.outbox: list[bytes] = []
        self.told: list[Part | Fetched | FetchFailed] = []
        self.pull = CoapPull(
            URI, offset, 512, Random(1), send=self.outbox.append, tell=self.told.append, bytes_per_s=bytes_per_s
        )
        self.pull.start(self.now)

    def asked(self) -> Message:
        (request,) = [decode(item) for item in self.outbox]
        self.outbox.clear()
        return request

    def give(self, request: Message, exponent: int | None = None, etag: bytes = b"\xaa", kind: int = ACK) -> None:
        """The block that was asked for, or one of another size at the same place."""
        block = request.number(Option.BLOCK2) or 0
        begins = (block >> 4) << (block & 7) + 4
        size = 16 << (block & 7 if exponent is None else exponent)
        more = MORE if begins + size < len(IMAGE) else 0
        option = (begins // size) << 4 | more | (size.bit_length() - 5)
        options: tuple[tuple[int, bytes], ...] = ((4, etag), (23, option.to_bytes(2)))
        if begins == 0:
            options = (*options, (28, len(IMAGE).to_bytes(2)))
        payload = IMAGE[begins : begins + size]
        self.pull.receive(datagram(kind, CONTENT, request.mid, request.token, options, payload=payload), self.now)

    def answer(self, request: Message, code: int) -> None:
        self.pull.receive(datagram(ACK, code, request.mid, request.token), self.now)

    def parts(self) -> bytes:
        return b"".join(event.data for event in self.told if isinstance(event, Part))


def test_it_asks_block_after_block_with_one_token_and_without_the_query() -> None:
    server = Server()
    requests = []
    while not server.told or not isinstance(server.told[-1], Fetched):
        requests.append(server.asked())
        server.give(requests[-1])
    assert [request.number(Option.BLOCK2) for request in requests] == [SIZE_512, 1 << 4 | SIZE_512, 2 << 4 | SIZE_512]
    assert {(request.type, request.code, request.token) for request in requests} == {(CON, GET, requests[0].token)}
    assert [request.texts(Option.URI_PATH) for request in requests] == [["fw", "1.ab", "aa", "u-1"]] * 3
    assert [request.number(Option.SIZE2) for request in requests] == [0] * 3
    assert not requests[0].texts(Option.URI_QUERY)
    assert server.parts() == IMAGE
    assert isinstance(server.told[0], Part)
    assert server.told[0].size == len(IMAGE)
    assert (server.outbox, server.pull.due()) == ([], None)


def test_it_goes_on_in_the_middle_of_a_block() -> None:
    server = Server(offset=700)
    request = server.asked()
    assert request.number(Option.BLOCK2) == 1 << 4 | SIZE_512
    server.give(request)
    server.give(server.asked())
    assert server.parts() == IMAGE[700:]


def test_a_smaller_block_of_the_server_is_taken_over() -> None:
    server = Server()
    server.give(server.asked(), SIZE_256)
    request = server.asked()
    assert request.number(Option.BLOCK2) == 1 << 4 | SIZE_256
    server.give(request)
    assert server.parts() == IMAGE[:512]


def test_a_block_that_comes_twice_is_taken_once() -> None:
    server = Server()
    first = server.asked()
    server.give(first)
    server.give(first)
    second = server.asked()
    server.give(second)
    assert server.parts() == IMAGE[:1024]


def test_a_separate_answer_is_acknowledged() -> None:
    server = Server()
    server.give(server.asked(), kind=CON)
    acknowledgement, request = (decode(item) for item in server.outbox)
    assert (acknowledgement.type, acknowledgement.code) == (ACK, 0)
    assert request.number(Option.BLOCK2) == 1 << 4 | SIZE_512


@pytest.mark.parametrize(("code", "result"), [(NOT_FOUND, Result.INVALID_URI), (UNAVAILABLE, Result.CONNECTION_LOST)])
def test_an_error_is_the_end(code: int, result: Result) -> None:
    server = Server()
    server.answer(server.asked(), code)
    assert server.told == [FetchFailed(result)]
    assert server.pull.due() is None


def test_another_image_under_the_same_link_is_found() -> None:
    server = Server()
    server.give(server.asked())
    server.give(server.asked(), etag=b"\xbb")
    assert server.told[1:] == [FetchFailed(Result.INTEGRITY_FAILURE)]


def test_silence_is_four_more_attempts_and_the_end() -> None:
    server = Server()
    first = server.outbox[0]
    while (due := server.pull.due()) is not None:
        server.now = due
        server.pull.tick(server.now)
    assert server.outbox == [first] * 5
    assert server.told == [FetchFailed(Result.CONNECTION_LOST)]
    assert 62 < server.now - 1000 < 94


def test_it_fetches_no_faster_than_it_may() -> None:
    server = Server(bytes_per_s=512.0)
    server.give(server.asked())
    assert (server.outbox, server.pull.due()) == ([], 1001.0)
    server.pull.tick(1001.0)
    assert server.asked().number(Option.BLOCK2) == 1 << 4 | SIZE_512


def test_what_was_stopped_tells_nothing_more() -> None:
    server = Server()
    request = server.asked()
    server.pull.stop()
    server.give(request)
    assert (server.told, server.outbox, server.pull.due()) == ([], [], None)
