"""Answers to requests that nobody waits for any more."""

from __future__ import annotations

import pytest

from flownexus_gateway.downlink import late_answers
from flownexus_gateway.downlink.late_answers import KEPT_S, LateAnswers
from flownexus_gateway.transport.datagram import Message
from flownexus_gateway.transport.peer import Peer
from harness.lockstep import ACK, BLOCK1, BLOCK2, CHANGED, CON, CONTENT, NON, Options, datagram, uint

TOKEN = b"\x01" * 8
EMPTY, CONTINUE, TOO_LARGE, MORE = 0, 0x5F, 0x8D, 8


class World:
    """One request that was given up; what is sent, and what is told."""

    def __init__(self) -> None:
        self.now, self.sent, self.told = 0.0, list[bytes](), list[Message]()
        self.late = LateAnswers(lambda: self.now)
        self.peer = Peer(("192.0.2.1", 5683), None, lambda data, _: self.sent.append(data))
        self.late.expect(TOKEN, self.peer, self.told.append)

    def takes(self, type_: int, code: int, options: Options = (), token: bytes = TOKEN) -> bool:
        return self.late.take(datagram(type_, code, 7, token, options, b"x"), self.peer)


@pytest.mark.parametrize("type_", [CON, NON, ACK])
def test_the_answer_is_told_once_and_acknowledged_as_often_as_it_comes(type_: int) -> None:
    world = World()
    assert [world.takes(type_, CHANGED) for _ in range(2)] == [True, True]
    assert [(message.code, message.payload) for message in world.told] == [(CHANGED, b"x")]
    assert world.sent == ([datagram(ACK, EMPTY, 7)] * 2 if type_ == CON else [])


def test_an_answer_to_something_else_is_left_to_others() -> None:
    world = World()
    assert not world.takes(CON, CHANGED, token=b"\x02" * 8)
    assert not world.late.take(datagram(ACK, EMPTY, 7), world.peer)
    assert (world.told, world.sent) == ([], [])


@pytest.mark.parametrize(
    ("code", "options"),
    [
        (CONTENT, [(BLOCK2, uint(MORE))]),
        (CONTENT, [(BLOCK2, uint(1 << 4))]),
        (CONTINUE, [(BLOCK1, uint(MORE))]),
        (TOO_LARGE, [(BLOCK1, uint(0))]),
    ],
    ids=["the first block", "the last block", "of a request in blocks", "smaller blocks are wanted"],
)
def test_what_is_not_all_of_it_does_not_count(code: int, options: Options) -> None:
    world = World()
    assert world.takes(CON, code, options)
    assert world.told == []


def test_after_an_hour_and_above_the_limit_nobody_is_to_be_told(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    assert world.late.asked(TOKEN) == world.peer
    monkeypatch.setattr(late_answers, "MAX_KEPT", 1)
    world.late.expect(b"\x02" * 8, world.peer, world.told.append)
    assert not world.takes(CON, CHANGED)
    world.now = KEPT_S
    assert world.late.asked(b"\x02" * 8) is None
