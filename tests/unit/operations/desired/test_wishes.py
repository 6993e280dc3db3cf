"""What is desired of an endpoint: its own entry before profiles, resource by resource."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from flownexus_operations.desired.wishes import MAX_RESOURCES, NOTHING, Wish, Wishes
from flownexus_schemas.desired.wish import DesiredProfile, DesiredValues
from flownexus_schemas.endpoint_tags import EndpointTags

LISTED = (1, 3, 3303)


def value(path: str, number: int) -> dict[str, Any]:
    return {"path": path, "value": number, "type": "integer"}


def told(wish: Wish) -> dict[str, tuple[Any, str | None]]:
    return {f"{one.path} {one.attribute}".strip(): (one.value, one.profile) for one in wish.resources}


def profile(wishes: Wishes, name: str, **given: Any) -> None:
    wishes.apply_profile(name, DesiredProfile.model_validate(given).model_dump_json().encode(), 1)


def own(wishes: Wishes, **given: Any) -> None:
    wishes.apply_own("device-1", DesiredValues.model_validate(given).model_dump_json().encode(), 1)


def test_the_endpoints_own_comes_first_then_the_highest_priority_then_the_first_name() -> None:
    wishes = Wishes()
    assert wishes.of("device-1", LISTED) is NOTHING
    profile(wishes, "b", values=[value("1/0/1", 2), value("1/0/2", 2), value("1/0/3", 2)])
    profile(wishes, "a", values=[value("1/0/2", 3), value("1/0/3", 3)])
    profile(wishes, "c", priority=5, values=[value("1/0/3", 4)])
    own(wishes, values=[value("1/0/1", 1)])

    assert told(wishes.of("device-1", LISTED)) == {
        "1/0/1": (1, None),
        "1/0/2": (3, "a"),
        "1/0/3": (4, "c"),
    }
    assert told(wishes.of("device-2", LISTED))["1/0/1"] == (2, "b")


def test_attributes_come_each_from_the_first_that_names_it() -> None:
    wishes = Wishes()
    profile(wishes, "fleet", attributes=[{"path": "3303", "attributes": {"pmin": 10, "pmax": 600}}])
    own(wishes, attributes=[{"path": "/3303", "attributes": {"pmin": 60, "gt": None}}])

    assert told(wishes.of("device-1", LISTED)) == {
        "3303 gt": (None, None),
        "3303 pmax": (600.0, "fleet"),
        "3303 pmin": (60.0, None),
    }


def test_profiles_choose_by_name_objects_and_tags() -> None:
    wishes = Wishes()
    profile(wishes, "named", endpoints=["device-*"], values=[value("1/0/1", 1)])
    profile(wishes, "listed", objects=[3303], values=[value("1/0/2", 2)])
    profile(wishes, "tagged", tags=["site:north"], values=[value("1/0/3", 3)])

    assert set(told(wishes.of("device-1", (1, 3)))) == {"1/0/1"}
    assert set(told(wishes.of("other", LISTED))) == {"1/0/2"}
    wishes.apply_tags("other", EndpointTags(tags=("site:north",)).model_dump_json().encode(), 2)
    assert set(told(wishes.of("other", LISTED))) == {"1/0/2", "1/0/3"}


def test_what_is_taken_away_is_desired_no_more_and_what_cannot_be_read_changes_nothing() -> None:
    wishes = Wishes()
    profile(wishes, "fleet", values=[value("1/0/1", 1)])
    own(wishes, values=[value("1/0/2", 2)])
    wishes.apply_profile("fleet", b"{", 2)
    wishes.apply_own("device-1", b'{"values": 1}', 2)
    assert set(told(wishes.of("device-1", LISTED))) == {"1/0/1", "1/0/2"}

    before = wishes.of("device-1", LISTED).digest
    wishes.apply_profile("fleet", None, 3)
    assert set(told(wishes.of("device-1", LISTED))) == {"1/0/2"}
    assert wishes.of("device-1", LISTED).digest != before
    wishes.apply_own("device-1", None, 3)
    assert wishes.of("device-1", LISTED) is NOTHING


def test_above_a_number_the_rest_is_left_out() -> None:
    wishes = Wishes()
    for name in "abcdef":
        profile(wishes, name, values=[value(f"{ord(name)}/0/{number}", 1) for number in range(50)])

    wish = wishes.of("device-1", LISTED)

    assert (len(wish.resources), wish.left_out) == (MAX_RESOURCES, 100)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"values": [value("1/0/1", 1), value("/1/0/1", 2)]}, "1/0/1 is there twice"),
        ({"values": [value("1/0/70000", 1)]}, "70000"),
        ({"attributes": [{"path": "3303", "attributes": {}}]}, "attributes"),
        ({"attributes": [{"path": "3303", "attributes": {"pmin": 60, "pmax": 10}}]}, "pmin is 60, above pmax"),
        ({"attributes": [{"path": "3303", "attributes": {"often": 1}}]}, "often"),
        ({"values": [value(f"1/0/{number}", 1) for number in range(51)]}, "50"),
    ],
)
def test_a_wish_that_contradicts_itself_is_none(wrong: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValidationError, match=reason):
        DesiredValues.model_validate(wrong)
