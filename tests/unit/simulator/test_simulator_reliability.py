"""Retransmission and answers to repeated requests. RFC 7252, 4.2 and 4.5."""

from __future__ import annotations

from random import Random

from flownexus_simulator.reliability import Answered, Transmission, Transmitter


def transmissions(transmitter: Transmitter) -> tuple[list[float], float]:
    """When a message sent at 0 is sent again, and when it is given up."""
    again = []
    while True:
        assert transmitter.current is not None
        now = transmitter.current.due
        match transmitter.expire(now):
            case bytes():
                again.append(now)
            case Transmission():
                return again, now


def test_a_silent_server_gets_four_retransmissions_with_doubled_pauses() -> None:
    for seed in range(50):
        transmitter = Transmitter(Random(seed))
        transmitter.start(1, b"x", 0.0)
        again, given_up = transmissions(transmitter)
        assert 2.0 <= again[0] <= 3.0
        assert [round(moment / again[0]) for moment in again] == [1, 3, 7, 15]
        assert round(given_up / again[0]) == 31
        assert transmitter.idle


def test_nothing_is_sent_again_before_it_is_due() -> None:
    transmitter = Transmitter(Random(1))
    transmitter.start(1, b"x", 10.0)
    assert transmitter.expire(11.9) is None


def test_only_the_acknowledgement_of_its_message_id_ends_a_transmission() -> None:
    transmitter = Transmitter(Random(1))
    transmitter.start(7, b"x", 0.0)
    ended = [transmitter.acknowledged(mid) for mid in (8, 7, 7)]
    assert [transmission is not None for transmission in ended] == [False, True, False]
    assert transmitter.idle


def test_a_repeated_request_gets_the_answer_it_got() -> None:
    answered = Answered()
    answered.remember(5, b"t", b"answer", 100.0)
    assert answered.recall(5, b"t", 340.0) == b"answer"
    assert answered.recall(5, b"t", 348.0) is None


def test_a_request_of_a_restarted_server_with_an_old_message_id_is_a_new_one() -> None:
    answered = Answered()
    answered.remember(5, b"t", b"answer", 100.0)
    assert answered.recall(5, b"u", 101.0) is None


def test_answers_to_old_requests_are_forgotten() -> None:
    answered = Answered()
    for mid in range(33):
        answered.remember(mid, b"t", b"answer", 0.0)
    assert answered.recall(0, b"t", 1.0) is None
    assert answered.recall(32, b"t", 1.0) == b"answer"
