"""Which observation profile counts for a device."""

from __future__ import annotations

import pytest

from flownexus_schemas.profiles import DEFAULT_PROFILE, ObservationProfile, choose

PROFILES = {
    "default": ObservationProfile(endpoints=("never",), priority=1000),
    "greenhouse": ObservationProfile(endpoints=("urn:imei:3564*", "house-?")),
    "climate": ObservationProfile(objects=(3303, 3304), priority=5),
    "both": ObservationProfile(endpoints=("house-*",), objects=(3303,), priority=9),
}


@pytest.mark.parametrize(
    ("endpoint", "objects", "name"),
    [
        ("node", {1, 3}, "default"),
        ("urn:imei:356400000000000", {1, 3}, "greenhouse"),
        ("xurn:imei:3564", {1, 3}, "default"),
        ("HOUSE-1", {1, 3}, "default"),
        ("node", {3303}, "default"),
        ("node", {3303, 3304}, "climate"),
        ("house-1", {3}, "greenhouse"),
        ("house-1", {3303, 3304}, "both"),
        ("never", set(), "default"),
    ],
)
def test_the_highest_priority_of_those_met_counts_and_the_default_last(
    endpoint: str, objects: set[int], name: str
) -> None:
    assert choose(PROFILES, endpoint, objects) == (name, PROFILES[name])


def test_of_equal_priority_the_first_by_name_counts() -> None:
    profiles = {"b": ObservationProfile(), "a": ObservationProfile(), "c": ObservationProfile()}
    assert choose(profiles, "node", ())[0] == "a"


def test_without_any_the_one_we_come_with_counts() -> None:
    assert choose({}, "node", ()) == ("default", DEFAULT_PROFILE)


@pytest.mark.parametrize(
    ("endpoint", "tags", "name"),
    [
        ("house-1", {"north", "2026"}, "tagged"),
        ("house-1", {"2026", "north", "other"}, "tagged"),
        ("house-1", {"north"}, "default"),
        ("house-1", set(), "default"),
        ("boat-1", {"north", "2026"}, "default"),
    ],
)
def test_all_tags_are_wanted_beside_the_name(endpoint: str, tags: set[str], name: str) -> None:
    profiles = {"tagged": ObservationProfile(endpoints=("house-*",), tags=("north", "2026"))}
    assert choose(profiles, endpoint, (), tags)[0] == name
