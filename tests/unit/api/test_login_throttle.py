"""How guesses of a password are slowed down."""

from __future__ import annotations

from flownexus_api.throttle import FREE_FAILURES, MAX_REMEMBERED, LoginThrottle


def failed(times: int, name: str = "vera", address: str = "192.0.2.1", now: float = 0) -> LoginThrottle:
    throttle = LoginThrottle()
    for _ in range(times):
        throttle.failed(name, address, now)
    return throttle


def test_the_first_failures_cost_nothing() -> None:
    assert failed(FREE_FAILURES - 1).wait_s("vera", "192.0.2.1", 0) == 0


def test_each_further_failure_doubles_the_wait_up_to_a_minute() -> None:
    waits = [failed(FREE_FAILURES + more).wait_s("vera", "192.0.2.1", 0) for more in range(8)]
    assert waits == [1, 2, 4, 8, 16, 32, 60, 60]


def test_the_wait_passes() -> None:
    throttle = failed(FREE_FAILURES + 2)
    assert throttle.wait_s("vera", "192.0.2.1", 3.5) == 0.5
    assert throttle.wait_s("vera", "192.0.2.1", 4) == 0


def test_others_are_not_held_up() -> None:
    throttle = failed(20)
    assert throttle.wait_s("otto", "192.0.2.1", 0) == 0
    assert throttle.wait_s("vera", "192.0.2.2", 0) == 0


def test_a_right_password_and_a_quiet_while_forget() -> None:
    throttle = failed(20)
    assert throttle.wait_s("vera", "192.0.2.1", 10_000) == 0
    throttle.failed("vera", "192.0.2.1", 10_000)
    assert throttle.wait_s("vera", "192.0.2.1", 10_000) == 0
    throttle = failed(20)
    throttle.succeeded("vera", "192.0.2.1")
    assert throttle.wait_s("vera", "192.0.2.1", 0) == 0


def test_memory_is_bounded() -> None:
    throttle = failed(20)
    for number in range(MAX_REMEMBERED):
        throttle.failed(f"name-{number}", "192.0.2.9", 1)
    assert throttle.wait_s("vera", "192.0.2.1", 1) == 0
