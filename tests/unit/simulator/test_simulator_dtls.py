"""Simulated devices over DTLS, with the gateway's own server at the other end and no socket in between."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from flownexus_simulator.psk_keys import InvalidKeys, Psk, read_keys
from flownexus_simulator.secure_channel import FIRST_TIMEOUT_S, MAX_SENDS, REFUSED_S, SecureChannel
from flownexus_simulator.statistics import Statistics
from harness.dtls_wire import KEY, Credentials, Wire, psk_credential

PSK = Psk("device-1", KEY)
HERE, THERE = ("192.0.2.9", 5000), ("192.0.2.9", 5001)


class Ends:
    """A channel and a server, with a clock between them. `on_the_way`: how often each datagram arrives."""

    def __init__(self, psk: Psk = PSK, *, connection_ids: bool = True) -> None:
        self.wire, self.statistics = Wire(Credentials(psk_credential())), Statistics()
        self.address = HERE
        self.on_the_way: Callable[[], int] = lambda: 1
        self.channel = SecureChannel(psk, self.statistics, self._put, connection_ids=connection_ids)
        self.received: list[bytes] = []

    def heard(self) -> list[bytes]:
        """What the server was told."""
        return [data for data, _ in self.wire.heard]

    def send(self, data: bytes) -> None:
        self.channel.send(data, self.wire.now)
        self.settle()

    def settle(self) -> None:
        """Hand over what waits for the device, and what that leads to."""
        for waiting in list(self.wire.sent.values()):
            while waiting:
                self._take(waiting)

    def wait(self, seconds: float) -> None:
        for _ in range(int(seconds * 5)):
            self.wire.now += 0.2
            due = self.channel.due()
            if due is not None and due <= self.wire.now:
                self.channel.tick(self.wire.now)
            self.settle()

    def _put(self, datagram: bytes, _stays: bool) -> None:
        for _ in range(self.on_the_way()):
            self.wire.give(datagram, self.address)

    def _take(self, waiting: deque[bytes]) -> None:
        datagram = waiting.popleft()
        for _ in range(self.on_the_way()):
            self.received += self.channel.receive(datagram, self.wire.now)


@pytest.mark.parametrize("connection_ids", [True, False])
def test_what_is_sent_comes_after_one_handshake_and_answers_come_back(connection_ids: bool) -> None:
    ends = Ends(connection_ids=connection_ids)
    for data in (b"register", b"notify"):
        ends.send(data)
    who = ends.wire.heard[0][1]
    who.send(b"created")
    ends.settle()
    assert (ends.heard(), ends.received) == ([b"register", b"notify"], [b"created"])
    assert bool(who.session.keys.read_cid) == connection_ids
    assert ends.statistics.handshakes == 1


def test_with_a_connection_id_it_goes_on_from_another_address() -> None:
    ends = Ends()
    ends.send(b"register")
    ends.address = THERE
    ends.send(b"notify")
    ends.wire.heard[-1][1].send(b"acknowledged")
    ends.settle()
    assert (ends.heard(), ends.received) == ([b"register", b"notify"], [b"acknowledged"])
    assert ends.statistics.handshakes == 1


@pytest.mark.parametrize("seed", range(8))
def test_lost_and_doubled_datagrams_of_a_handshake_are_sent_again_and_taken_once(seed: int) -> None:
    ends, chance = Ends(), Random(seed)
    ends.on_the_way = lambda: chance.choices([0, 1, 2], [3, 5, 2])[0]
    ends.send(b"register")
    ends.wait(150)
    ends.on_the_way = lambda: 1
    ends.send(b"update")
    ends.wait(20)
    assert b"update" in ends.heard()
    assert ends.statistics.handshakes == 1


def test_who_is_refused_tries_again_later_and_not_at_once() -> None:
    ends = Ends(Psk("device-9", KEY))
    ends.send(b"register")
    assert ends.statistics.refused_handshakes == 1
    ends.send(b"register")
    assert ends.statistics.refused_handshakes == 1
    ends.wait(REFUSED_S)
    ends.send(b"register")
    assert (ends.statistics.refused_handshakes, ends.heard()) == (2, [])


def test_a_server_that_says_nothing_is_given_up_and_tried_anew() -> None:
    ends = Ends()
    ends.on_the_way = lambda: 0
    ends.send(b"register")
    ends.wait(FIRST_TIMEOUT_S * 2**MAX_SENDS)
    assert ends.channel.due() is None
    ends.on_the_way = lambda: 1
    ends.send(b"register")
    assert ends.heard() == [b"register"]


def _revoke(ends: Ends) -> None:
    """And another credential in its place."""
    ends.wire.credentials.put(psk_credential(revoked_at=1.0))
    ends.wire.server.look_after(ends.wire.now)
    ends.settle()
    ends.wire.credentials.put(psk_credential(id_="c2"))


@pytest.mark.parametrize("end", [lambda ends: ends.channel.anew(), _revoke], ids=["anew", "revoked"])
def test_where_a_session_is_over_the_next_message_makes_a_handshake(end: Callable[[Ends], None]) -> None:
    ends = Ends()
    ends.send(b"register")
    end(ends)
    ends.send(b"update")
    assert ends.heard() == [b"register", b"update"]
    assert ends.statistics.handshakes == 2


def test_keys_are_read_from_a_file_of_credentials(tmp_path: Path) -> None:
    file = tmp_path / "keys.csv"
    file.write_text("endpoint,type,identity,key,subject\na,psk,its own,00ff,\nb,psk,,0102,\nc,x509,,,cn:c\n")
    assert read_keys(file) == {"a": Psk("its own", b"\x00\xff"), "b": Psk("b", b"\x01\x02")}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("endpoint,identity\na,b\n", "the first line names the columns; key is missing"),
        ("endpoint,key\na,0x12\n", "line 2: a key is written in hexadecimal digits"),
    ],
)
def test_a_file_without_keys_is_refused_with_what_to_do(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "keys.csv"
    file.write_text(text)
    with pytest.raises(InvalidKeys, match=said):
        read_keys(file)
