"""Records that came already are known, as far back as the window goes. RFC 6347, 4.1.2.6."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flownexus_gateway.transport.dtls.replay_window import WINDOW, ReplayWindow


@given(st.lists(st.integers(0, 300), max_size=300))
def test_each_number_counts_once_and_none_from_behind_the_window(numbers: list[int]) -> None:
    window, taken = ReplayWindow(), set[int]()
    for number in numbers:
        newest = max(taken, default=-1)
        is_new = number not in taken and number > newest - WINDOW
        assert window.may_be_new(number) == is_new
        if is_new:
            assert window.take(number) == (number > newest)
            taken.add(number)
    assert window.newest == max(taken, default=-1)


def test_a_leap_of_more_than_the_window_forgets_what_was_before() -> None:
    window = ReplayWindow()
    window.take(0)
    window.take(1 << 40)
    assert not window.may_be_new(0)
    assert window.may_be_new((1 << 40) - WINDOW + 1)
    assert not window.may_be_new((1 << 40) - WINDOW)


def test_asking_changes_nothing() -> None:
    window = ReplayWindow()
    assert window.may_be_new(5)
    assert window.may_be_new(5)
    assert window.newest == -1


def test_it_goes_on_from_what_was_kept() -> None:
    window = ReplayWindow()
    for number in (0, 1, 3):
        window.take(number)
    again = ReplayWindow(window.newest, window.seen)
    assert [again.may_be_new(number) for number in range(5)] == [False, False, True, False, True]
