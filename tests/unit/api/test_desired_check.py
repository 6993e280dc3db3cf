"""Desired values that cannot be are refused before any device is asked."""

from __future__ import annotations

from typing import Any

import pytest

from flownexus_api.desired_check import checked
from flownexus_schemas import objects
from flownexus_schemas.desired.wish import DesiredValues
from flownexus_schemas.errors import InvalidRequest

MODELS = objects.load()


def wish(path: str, value: Any = 1, type_: str | None = None) -> DesiredValues:
    return DesiredValues.model_validate({"values": [{"path": path, "value": value, "type": type_}]})


def attributes(path: str, **given: float | None) -> DesiredValues:
    return DesiredValues.model_validate({"attributes": [{"path": path, "attributes": given}]})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (wish("1/0/1", "often"), r"1/0/1: the value is a whole number of 64 bits"),
        (wish("3303"), r"3303: a value is for a resource"),
        (wish("3303/0/5700", 21.5), r"3303/0/5700: Sensor Value cannot be written"),
        (wish("1/0/0"), r"1/0/0: Short Server ID cannot be written \(its operations are R\)"),
        (wish("3/0/4"), r"3/0/4: Reboot has no value"),
        (wish("0/0/0", "coaps://x"), r"object 0, Security, is out of reach"),
        (attributes("0/0", pmin=1), r"object 0, Security, is out of reach"),
        (wish("5/0/1", "https://url.com/fw.bin"), r"5/0/1: firmware is updated by an update or an operation"),
        (wish("1/0/1/0", 600), r"1/0/1/0: Lifetime has one value: name it as 1/0/1"),
        (wish("2/0/2", 1), r"2/0/2: ACL has several values: name each as 2/0/2/0"),
        (wish("26999/0/1"), r"26999/0/1: no object model has this resource; give its type"),
        (wish("26999/0/1", 1, "string"), r"26999/0/1: the value is a text"),
        (wish("1/0/1", 600, "string"), r"1/0/1: Lifetime is of type integer, not string"),
        (attributes("3303", gt=1), r"gt is for a resource"),
        (attributes("3/0/0", gt=1), r"gt is for a number; /3/0/0 is string"),
    ],
)
def test_what_no_device_could_have_is_refused_with_its_path_and_reason(given: DesiredValues, reason: str) -> None:
    with pytest.raises(InvalidRequest, match=reason):
        checked(given, MODELS, {}, None)


def test_values_get_the_type_of_their_model_and_those_without_one_keep_theirs() -> None:
    given = DesiredValues.model_validate(
        {
            "values": [
                {"path": "/1/0/1", "value": 600},
                {"path": "2/0/2/1", "value": 15},
                {"path": "26999/0/1", "value": "x", "type": "string"},
            ]
        }
    )
    types = {one.path: one.type for one in checked(given, MODELS, {}, None).values}
    assert types == {"1/0/1": "integer", "2/0/2/1": "integer", "26999/0/1": "string"}


def test_attributes_are_checked_for_the_version_of_the_device_where_it_is_known() -> None:
    given = attributes("3303/0/5700", hqmax=5)
    checked(given, MODELS, {}, None)
    checked(given, MODELS, {}, (1, 2))
    with pytest.raises(InvalidRequest, match=r"hqmax came with LwM2M 1.2; this device speaks 1.1"):
        checked(given, MODELS, {}, (1, 1))
