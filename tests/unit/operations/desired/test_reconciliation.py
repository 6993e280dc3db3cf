"""What a device is asked for so that it comes to have what is desired, and what comes of its answers."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flownexus_operations.desired.alignment import SETTLES, aligned, waits_for_the_wish
from flownexus_operations.desired.asking import asked
from flownexus_operations.desired.lifecycle import TRANSITIONS, Happening
from flownexus_operations.desired.outcomes import concluded
from flownexus_operations.desired.plan import next_ask
from flownexus_operations.desired.standings import Kept
from flownexus_schemas.desired.standing import DesiredState
from flownexus_schemas.operations.operation import Operation
from unit.operations.desired.wanted import DAY, MINUTE, NOTHING_KNOWN, NOW, Played, awake, device, ended, of, wish_of

LIFETIME, MIN_PERIOD, MAX_PERIOD = "1/0/1", "1/0/2", "1/0/3"
State = DesiredState


def done(played: Played) -> list[str]:
    """Operation and paths of each request, and forget them."""
    found = []
    for command in played.requests:
        paths = [one.path for one in getattr(command, "values", ())] or list(getattr(command, "paths", ()))
        found.append(" ".join([command.operation, *(paths or [command.path])]))  # type: ignore[union-attr]
    played.requests.clear()
    return found


def test_what_is_not_known_is_read_what_differs_is_written_and_read_back() -> None:
    played = Played({LIFETIME: 300, MIN_PERIOD: 5})
    wish = wish_of({LIFETIME: 600, MIN_PERIOD: 5})

    desired = awake(NOTHING_KNOWN, wish, played, NOW)

    assert done(played) == [f"read-composite {LIFETIME} {MIN_PERIOD}", f"write {LIFETIME}", f"read {LIFETIME}"]
    assert {one.state for one in desired.resources} == {State.IN_SYNC}
    awake(desired, wish, played, NOW + DAY / 2)
    assert done(played) == []


def test_a_device_of_version_1_0_is_asked_resource_by_resource() -> None:
    played = Played({LIFETIME: 300, MIN_PERIOD: 6}, registered=device(version=(1, 0)))
    awake(NOTHING_KNOWN, wish_of({LIFETIME: 600, MIN_PERIOD: 5}), played, NOW)

    assert {request.split()[0] for request in done(played)} == {"read", "write"}
    assert played.has == {LIFETIME: 600, MIN_PERIOD: 5}


def test_after_another_registration_it_is_read_and_written_where_the_device_lost_it() -> None:
    played = Played({LIFETIME: 300})
    wish = wish_of({LIFETIME: 600})
    desired = awake(NOTHING_KNOWN, wish, played, NOW)
    done(played)

    played.registered = device(2)
    desired = awake(desired, wish, played, NOW + MINUTE)
    assert done(played) == [f"read {LIFETIME}"]

    played.has[LIFETIME], played.registered = 300, device(3)
    desired = awake(desired, wish, played, NOW + 2 * MINUTE)
    assert done(played) == [f"read {LIFETIME}", f"write {LIFETIME}", f"read {LIFETIME}"]
    assert of(desired, LIFETIME).since == NOW + 2 * MINUTE


def test_the_end_of_a_read_counts_where_the_registration_is_known_only_after_it() -> None:
    played = Played({LIFETIME: 600})
    wish = wish_of({LIFETIME: 600})
    desired = aligned(NOTHING_KNOWN, wish, played.registered, NOW)
    ask = next_ask(desired, wish.by_key, played.registered, NOW, DAY)
    assert ask is not None
    desired = asked(desired, ask, played.registered.generation, NOW)
    operation = Operation(id="one", endpoint="device-1", command=ask.command, requested_at=NOW)
    desired = concluded(desired, ended(operation, played.answer(ask.command), NOW), wish.by_key, None, NOW)

    awake(desired, wish, played, NOW + MINUTE)
    assert done(played) == [f"read {LIFETIME}"]


def test_the_wish_of_another_replica_is_waited_for_and_only_for_a_moment() -> None:
    mine, theirs = wish_of({LIFETIME: 600}), wish_of({LIFETIME: 700})
    kept = Kept(aligned(NOTHING_KNOWN, theirs, None, NOW), 7, "/operations/other", NOW)

    assert waits_for_the_wish(kept, mine, "/operations/own", NOW) == NOW + SETTLES
    assert waits_for_the_wish(kept, mine, "/operations/own", NOW + SETTLES) is None
    assert waits_for_the_wish(kept, theirs, "/operations/own", NOW) is None
    assert waits_for_the_wish(kept._replace(source="/operations/own"), mine, "/operations/own", NOW) is None
    ahead = kept._replace(at=NOW + DAY)  # by another clock
    assert waits_for_the_wish(ahead, mine, "/operations/own", NOW) == NOW + SETTLES


def test_what_holds_is_read_again_after_its_time_or_never() -> None:
    played = Played({LIFETIME: 600})
    wish = wish_of({LIFETIME: 600})
    desired = awake(NOTHING_KNOWN, wish, played, NOW)
    done(played)

    assert done(played) == []
    awake(desired, wish, played, NOW + 2 * DAY, check_every=timedelta())
    assert done(played) == []
    awake(desired, wish, played, NOW + 2 * DAY)
    assert done(played) == [f"read {LIFETIME}"]


@pytest.mark.parametrize("code", ["4.00", "4.05"])
def test_a_refusal_is_kept_and_tried_again_at_another_registration_with_pauses(code: str) -> None:
    played = Played({LIFETIME: 300}, codes={("write", LIFETIME): code})
    wish = wish_of({LIFETIME: 600})
    desired = awake(NOTHING_KNOWN, wish, played, NOW)
    refused = of(desired, LIFETIME)
    assert (refused.state, refused.code, refused.reason, refused.reported) == (State.REFUSED, code, "no", 300)
    done(played)
    desired = awake(desired, wish, played, NOW + DAY)
    assert done(played) == []

    played.registered = device(2)
    desired = awake(desired, wish, played, NOW + DAY)
    assert f"write {LIFETIME}" in done(played)
    played.registered = device(3)
    desired = awake(desired, wish, played, NOW + DAY)
    assert done(played) == []
    played.codes.clear()
    desired = awake(desired, wish, played, NOW + DAY + MINUTE)
    assert of(desired, LIFETIME).state is State.IN_SYNC


def test_trouble_of_the_device_itself_is_tried_again_without_another_registration() -> None:
    played = Played({LIFETIME: 300}, codes={("write", LIFETIME): "5.00"})
    wish = wish_of({LIFETIME: 600})
    desired, writes = NOTHING_KNOWN, []
    for minute in range(20):
        desired = awake(desired, wish, played, NOW + minute * MINUTE)
        writes += [minute] * done(played).count(f"write {LIFETIME}")

    assert writes == [0, 1, 3, 7, 15]
    assert of(desired, LIFETIME).code == "5.00"


def test_another_wish_is_tried_at_once_after_a_refusal() -> None:
    played = Played({LIFETIME: 300}, codes={("write", LIFETIME): "4.00"})
    desired = awake(NOTHING_KNOWN, wish_of({LIFETIME: 5}), played, NOW)
    done(played)
    played.codes.clear()

    desired = awake(desired, wish_of({LIFETIME: 60}), played, NOW)

    assert done(played) == [f"write {LIFETIME}", f"read {LIFETIME}"]
    assert (of(desired, LIFETIME).state, of(desired, LIFETIME).refusals) == (State.IN_SYNC, 0)


def test_a_refused_composite_write_is_tried_one_by_one_so_that_one_value_is_refused() -> None:
    codes = {("write-composite", MIN_PERIOD): "4.00", ("write", MIN_PERIOD): "4.05"}
    played = Played({LIFETIME: 300, MIN_PERIOD: 0}, codes=codes)
    wish = wish_of({LIFETIME: 600, MIN_PERIOD: 5})

    desired = awake(NOTHING_KNOWN, wish, played, NOW)

    both = f"{LIFETIME} {MIN_PERIOD}"
    writes = [f"write-composite {both}", f"write {LIFETIME}", f"write {MIN_PERIOD}"]
    assert done(played) == [f"read-composite {both}", *writes, f"read {LIFETIME}"]
    assert (of(desired, LIFETIME).state, of(desired, MIN_PERIOD).state) == (State.IN_SYNC, State.REFUSED)
    assert (of(desired, MIN_PERIOD).code, played.has[LIFETIME]) == ("4.05", 600)


def test_what_a_composite_answer_leaves_out_is_read_by_itself() -> None:
    played = Played({LIFETIME: 600})
    desired = awake(NOTHING_KNOWN, wish_of({LIFETIME: 600, MAX_PERIOD: 60}), played, NOW)

    both = f"{LIFETIME} {MAX_PERIOD}"
    assert done(played) == [
        f"read-composite {both}",
        f"read {MAX_PERIOD}",
        f"write {MAX_PERIOD}",
        f"read {MAX_PERIOD}",
    ]
    assert of(desired, MAX_PERIOD).state is State.IN_SYNC


def test_what_cannot_be_read_is_written_once_a_registration_and_counts_as_held() -> None:
    played = Played({LIFETIME: 600}, codes={("read", LIFETIME): "4.05"})
    wish = wish_of({LIFETIME: 600})

    desired = awake(NOTHING_KNOWN, wish, played, NOW)
    assert done(played) == [f"read {LIFETIME}", f"write {LIFETIME}"]
    held = of(desired, LIFETIME)
    assert (held.state, held.reason) == (State.IN_SYNC, "The device took it, and does not show what it has.")

    desired = awake(desired, wish, played, NOW + 3 * DAY)
    assert done(played) == []
    played.registered = device(2)
    awake(desired, wish, played, NOW + 3 * DAY)
    assert done(played) == [f"write {LIFETIME}"]


def test_a_device_that_takes_it_and_has_another_value_is_told_and_asked_after_growing_pauses() -> None:
    played = Played({LIFETIME: 300}, keeps=False)
    wish = wish_of({LIFETIME: 600})
    desired, now, writes = NOTHING_KNOWN, NOW, []
    for minute in range(60):
        desired = awake(desired, wish, played, now + minute * MINUTE)
        writes += [minute] * done(played).count(f"write {LIFETIME}")

    assert writes == [0, 1, 3, 7, 15, 31]
    drifted = of(desired, LIFETIME)
    assert (drifted.state, drifted.reported, drifted.reverts) == (State.DRIFTED, 300, 6)
    assert drifted.reason == "The device took it and has another value; that is the time number 6, it does not stay."


def test_a_device_that_loses_it_at_each_restart_is_written_at_once_twice_and_then_with_pauses() -> None:
    played = Played({LIFETIME: 300})
    wish = wish_of({LIFETIME: 600})
    desired, writes = awake(NOTHING_KNOWN, wish, played, NOW), []
    done(played)
    for restart in range(2, 30):
        played.has[LIFETIME], played.registered = 300, device(restart)
        desired = awake(desired, wish, played, NOW + restart * MINUTE / 6)
        writes += [restart] * done(played).count(f"write {LIFETIME}")

    assert writes == [2, 3, 10, 23]
    assert "does not stay" in (of(desired, LIFETIME).reason or "")
    desired = awake(desired, wish, played, NOW + 12 * MINUTE)
    assert of(desired, LIFETIME).state is State.IN_SYNC
    played.has[LIFETIME], played.registered = 300, device(99)
    desired = awake(desired, wish, played, NOW + DAY)
    assert (of(desired, LIFETIME).reverts, of(desired, LIFETIME).state) == (1, State.IN_SYNC)


def test_attributes_of_a_path_are_discovered_written_together_and_discovered_again() -> None:
    played = Played(attributes={"3303": {"pmin": 60.0, "gt": 4.0}})
    wish = wish_of({}, {"3303": {"pmin": 60, "pmax": 600, "gt": None}})

    desired = awake(NOTHING_KNOWN, wish, played, NOW)

    assert played.attributes == {"3303": {"pmin": 60.0, "pmax": 600.0}}
    written = next(one for one in played.requests if one.operation == "write-attributes")
    assert written.attributes == {"gt": None, "pmax": 600.0}
    assert done(played) == ["discover 3303", "write-attributes 3303", "discover 3303"]
    assert {one.state for one in desired.resources} == {State.IN_SYNC}


def test_attributes_that_discover_does_not_show_are_written_once_a_registration() -> None:
    played = Played(shows_attributes=False)
    wish = wish_of({}, {"3303": {"pmin": 60}})

    desired = awake(NOTHING_KNOWN, wish, played, NOW)
    assert done(played) == ["discover 3303", "write-attributes 3303", "discover 3303"]
    assert of(desired, "3303", "pmin").state is State.IN_SYNC
    played.registered = device(2)
    desired = awake(desired, wish, played, NOW + MINUTE)
    assert done(played) == ["write-attributes 3303"]
    assert (of(desired, "3303", "pmin").state, of(desired, "3303", "pmin").reverts) == (State.IN_SYNC, 0)


def test_what_the_device_does_not_list_waits_for_a_registration_that_does() -> None:
    played = Played({"1/1/1": 300, LIFETIME: 300})
    wish = wish_of({"1/1/1": 600, "2048/0/1": 1})

    desired = awake(NOTHING_KNOWN, wish, played, NOW)
    assert (done(played), of(desired, "1/1/1").state) == ([], State.ABSENT)
    assert of(desired, "1/1/1").reason == "The device does not list 1/1."

    played.registered = device(2, links="1/1 3/0")
    desired = awake(desired, wish, played, NOW + MINUTE)
    assert (played.has["1/1/1"], of(desired, "1/1/1").state) == (600, State.IN_SYNC)
    assert of(desired, "2048/0/1").state is State.ABSENT


def test_a_wish_that_is_gone_is_forgotten_and_nothing_is_asked() -> None:
    played = Played({LIFETIME: 300})
    desired = awake(NOTHING_KNOWN, wish_of({LIFETIME: 600, MIN_PERIOD: 5}), played, NOW)
    done(played)

    played.has[LIFETIME], played.registered = 300, device(2)
    desired = awake(desired, wish_of({}), played, NOW + DAY)

    assert (done(played), desired.resources, desired.wish) == ([], (), "")


def test_what_is_wished_of_what_is_known_needs_no_read() -> None:
    played = Played({LIFETIME: 300})
    desired = awake(NOTHING_KNOWN, wish_of({LIFETIME: 600}), played, NOW)
    done(played)

    desired = awake(desired, wish_of({LIFETIME: 900}), played, NOW)
    assert done(played) == [f"write {LIFETIME}", f"read {LIFETIME}"]
    played.has[LIFETIME] = 900
    desired = aligned(desired, wish_of({LIFETIME: 300}), played.registered, NOW)
    assert of(desired, LIFETIME).state is State.PENDING
    desired = aligned(desired, wish_of({LIFETIME: 900}), played.registered, NOW)
    assert of(desired, LIFETIME).state is State.IN_SYNC


def test_every_happening_is_in_the_table_and_nothing_but_a_listing_leads_out_of_absence() -> None:
    assert {happening for _, happening in TRANSITIONS} == set(get_args(Happening))
    assert {state for state, _ in TRANSITIONS} == set(State)
    assert [happening.__name__ for state, happening in TRANSITIONS if state is State.ABSENT] == ["Listed"]


PATHS = [LIFETIME, MIN_PERIOD, MAX_PERIOD, "3/0/14", "3303/0/5750"]
NUMBERS = st.integers(0, 3)
CODES = st.sampled_from(["4.00", "4.04", "4.05", "4.15", "5.00"])
OPERATIONS = st.sampled_from(["read", "write", "read-composite", "write-composite", "discover", "write-attributes"])


@given(
    has=st.dictionaries(st.sampled_from(PATHS), NUMBERS),
    wished=st.dictionaries(st.sampled_from(PATHS), NUMBERS),
    period=st.none() | NUMBERS,
    version=st.sampled_from([(1, 0), (1, 1), (1, 2)]),
)
@settings(max_examples=200, deadline=None)
def test_an_honest_device_comes_to_have_it_and_only_what_differed_was_written(
    has: dict[str, int], wished: dict[str, int], period: int | None, version: tuple[int, int]
) -> None:
    played = Played(dict(has), registered=device(version=version))
    wish = wish_of(wished, {"3303": {"pmin": period}})

    desired = awake(NOTHING_KNOWN, wish, played, NOW)

    assert played.has == has | wished
    assert played.attributes.get("3303", {}) == ({} if period is None else {"pmin": period})
    assert {one.state for one in desired.resources} == {State.IN_SYNC}
    written = [value.path for one in played.requests for value in getattr(one, "values", ())]
    assert sorted(written) == sorted(path for path, value in wished.items() if has.get(path) != value)
    assert next_ask(desired, wish.by_key, played.registered, NOW, DAY) is None


@given(
    has=st.dictionaries(st.sampled_from(PATHS), NUMBERS),
    wished=st.dictionaries(st.sampled_from(PATHS), NUMBERS, min_size=1),
    codes=st.dictionaries(st.tuples(OPERATIONS, st.sampled_from([*PATHS, "3303"])), CODES),
    keeps=st.booleans(),
    shows=st.booleans(),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_device_answers_the_asking_ends_and_every_wish_is_accounted_for(
    has: dict[str, int],
    wished: dict[str, int],
    codes: dict[tuple[str, str], str],
    keeps: bool,
    shows: bool,
) -> None:
    played = Played(dict(has), codes=codes, keeps=keeps, shows_attributes=shows)
    wish = wish_of(wished, {"3303": {"pmin": 60}})

    desired = awake(NOTHING_KNOWN, wish, played, NOW, most=6 * (len(wished) + 2))
    played.requests.clear()
    again = awake(desired, wish, played, NOW)

    assert (played.requests, again) == ([], desired)
    for one in desired.resources:
        if one.state is State.REFUSED:
            assert one.code in set(codes.values())
        if one.state is State.IN_SYNC and not one.hidden and one.attribute is None:
            assert played.has[one.path] == wished[one.path]


@given(seconds=st.lists(st.integers(1, 4000), min_size=1, max_size=30), restarts=st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_device_that_never_keeps_it_is_written_ever_more_rarely(seconds: list[int], restarts: bool) -> None:
    played = Played({LIFETIME: 300}, keeps=False)
    wish = wish_of({LIFETIME: 600})
    desired, now, written_at = NOTHING_KNOWN, NOW, []
    for number, pause in enumerate(seconds):
        now += timedelta(seconds=pause)
        if restarts:
            played.registered = replace(device(number + 2), registered_at=now.timestamp())
        desired = awake(desired, wish, played, now)
        written_at += [now] * done(played).count(f"write {LIFETIME}")

    assert len(written_at) == len(set(written_at))
    gaps = [later - earlier for earlier, later in pairwise(written_at)]
    if not restarts:
        for number, gap in enumerate(gaps):
            assert gap >= min(MINUTE * 2**number, timedelta(hours=1))
    else:
        assert all(gap >= min(MINUTE * 2 ** (number + 2), timedelta(hours=1)) for number, gap in enumerate(gaps[2:]))
