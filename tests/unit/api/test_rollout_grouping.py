"""Which device is in which group, and in which order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flownexus_api.rollout_grouping import Candidate, grouped, mixed, sample
from flownexus_api.rollout_requests import DEFAULT_GROUPS, GroupRequest
from flownexus_api.selection import Choice, Selection
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.profiles import meets

REST = GroupRequest()


def fleet(size: int) -> list[Candidate]:
    return [Candidate(f"device-{number}", ("5/0",), ("canary",) if number < 2 else ()) for number in range(size)]


def sizes(size: int, *groups: GroupRequest) -> list[int]:
    return [len(members) for _, members in grouped(fleet(size), groups)]


def test_percents_are_of_all_devices_and_rounded_up() -> None:
    assert sizes(200, *DEFAULT_GROUPS) == [10, 50, 140]
    assert sizes(9, GroupRequest(percent=1), GroupRequest(percent=50), REST) == [1, 5, 3]
    assert sizes(200, *[GroupRequest(percent=33.4)] * 3) == [67, 67, 66]


def test_groups_take_what_is_left_and_one_without_devices_is_left_out() -> None:
    assert sizes(10, GroupRequest(devices=7), GroupRequest(devices=7), REST) == [7, 3]
    assert sizes(1, *DEFAULT_GROUPS) == [1]


def test_a_group_takes_only_devices_that_meet_its_choice() -> None:
    canaries = GroupRequest(select=Selection(tags=("canary",)))
    named = GroupRequest(select=Selection(endpoints=("device-1*",)), devices=3)
    found = grouped(fleet(14), [canaries, named, REST])
    assert [[one.endpoint for one in members] for _, members in found[:2]] == [
        ["device-0", "device-1"],
        ["device-10", "device-11", "device-12"],
    ]


def test_devices_that_no_group_takes_are_an_error() -> None:
    with pytest.raises(InvalidRequest, match=r"groups: they take 30 of 200 devices; add \{\} for the others"):
        sizes(200, GroupRequest(devices=10), GroupRequest(percent=10))


@given(st.sets(st.text(min_size=1, max_size=8), max_size=30), st.text(max_size=8), st.randoms())
def test_the_order_depends_on_the_names_and_the_seed_alone(names: set[str], seed: str, chance: object) -> None:
    there = [Candidate(name, (), ()) for name in names]
    assert mixed(there, seed) == mixed(reversed(there), seed)
    assert sorted(mixed(there, seed)) == sorted(there)


def test_another_image_begins_with_other_devices() -> None:
    first = {tuple(one.endpoint for one in mixed(fleet(200), f"image-{number}")[:10]) for number in range(20)}
    assert len(first) == 20


def test_a_sample_is_the_first_so_many_percent() -> None:
    taken, others = sample(fleet(10), 25)
    assert [one.endpoint for one in taken] == ["device-0", "device-1", "device-2"]
    assert (len(others), len(sample(fleet(3), 100)[0])) == (7, 3)


@given(
    st.builds(
        Selection,
        endpoints=st.lists(st.sampled_from(["a-1", "a-2", "a-*", "b?", "*"]), max_size=3).map(tuple),
        objects=st.lists(st.sampled_from([3, 5]), max_size=2).map(tuple),
        tags=st.lists(st.sampled_from(["north"]), max_size=1).map(tuple),
    ),
    st.sampled_from(["a-1", "a-2", "a-3", "b1", "c"]),
    st.sampled_from([("3/0",), ("3/0", "5/0")]),
    st.sampled_from([(), ("north",)]),
)
def test_a_choice_is_what_a_profile_takes_it_for(
    selection: Selection, name: str, links: tuple[str, ...], tags: tuple[str, ...]
) -> None:
    objects = {int(link.split("/")[0]) for link in links}
    assert Choice(selection).takes(name, links, tags) == meets(selection, name, objects, tags)
