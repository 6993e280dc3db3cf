"""How guesses of a password are slowed down."""

from __future__ import annotations

import pytest

from flownexus_api.throttle import FORGET_AFTER_S, FREE_FAILURES, Counted, Failures, keys_of, network_of, wait_s

PAIR, NETWORK, ACCOUNT = Counted.ACCOUNT_AT_NETWORK, Counted.NETWORK, Counted.ACCOUNT


def wait(kind: Counted, times: int, ago_s: float = 0, *, is_known: bool = False) -> float:
    return wait_s({kind: Failures(times, ago_s)}, is_known=is_known)


@pytest.mark.parametrize("kind", Counted)
def test_the_first_failures_cost_nothing(kind: Counted) -> None:
    assert wait(kind, FREE_FAILURES[kind] - 1) == 0


@pytest.mark.parametrize("kind", Counted)
def test_each_further_failure_doubles_the_wait_up_to_a_minute(kind: Counted) -> None:
    assert [wait(kind, FREE_FAILURES[kind] + more) for more in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert wait(kind, 10**9) == 60


def test_the_wait_passes() -> None:
    assert wait(PAIR, FREE_FAILURES[PAIR] + 2, ago_s=3.5) == 0.5
    assert wait(PAIR, FREE_FAILURES[PAIR] + 2, ago_s=4) == 0


def test_a_quiet_while_forgets() -> None:
    assert wait(PAIR, 10**9, ago_s=FORGET_AFTER_S + 1) == 0


def test_strangers_hold_up_strangers_but_not_the_user_at_a_known_network() -> None:
    for kind in (NETWORK, ACCOUNT):
        assert wait(kind, 1000) == 60
        assert wait(kind, 1000, is_known=True) == 0
    assert wait(PAIR, 1000, is_known=True) == 60


def test_the_longest_wait_counts() -> None:
    failures = {PAIR: Failures(6, 0), NETWORK: Failures(24, 0), ACCOUNT: Failures(1, 0)}
    assert wait_s(failures, is_known=False) == 16
    assert wait_s({}, is_known=False) == 0


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("unknown", "unknown"),
    ],
)
def test_a_subscriber_counts_as_one_source(address: str, network: str) -> None:
    assert network_of(address) == network


def test_no_key_has_what_was_typed_as_a_name() -> None:
    typed = "hunter2 in the wrong field"
    keys = keys_of(typed, "192.0.2.7")
    assert not any(typed in key for key in keys.values())
    assert keys[ACCOUNT] != keys_of("vera", "192.0.2.7")[ACCOUNT]
    assert keys_of("\udc80", "192.0.2.7")
