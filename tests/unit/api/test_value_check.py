"""A value fits the type and the range that the object model states, or is refused with its path and the reason."""

from __future__ import annotations

import pytest

from flownexus_api.value_check import fitting
from flownexus_schemas import objects
from flownexus_schemas.commands import PathValue
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.datatype import DataType

MODELS = objects.load()
UNKNOWN = "32123/0/1"


@pytest.mark.parametrize(
    ("path", "value", "type_"),
    [
        ("1/0/1", 300, DataType.INTEGER),
        ("1/0/6", True, DataType.BOOLEAN),
        ("3/0/13", 1_700_000_000, DataType.TIME),
        ("3/0/15", "Europe/Zurich", DataType.STRING),
        ("3303/0/5603", -20, DataType.FLOAT),
        ("3303/0/5603", -20.5, DataType.FLOAT),
        ("5/0/0", "AP+A", DataType.OPAQUE),
        ("5/0/0", "AP-A", DataType.OPAQUE),
        ("3306/0/5851", 100, DataType.INTEGER),
        ("/3/0/6/1", 7, DataType.INTEGER),
    ],
)
def test_a_value_that_fits_gets_the_type_of_the_model(path: str, value: float | str, type_: DataType) -> None:
    fitted = fitting(PathValue(path=path, value=value), MODELS, {})
    assert (fitted.type, fitted.value) == (type_, value)


@pytest.mark.parametrize(
    ("path", "value", "reason"),
    [
        ("1/0/1", "300", "1/0/1: the value is a whole number of 64 bits (type integer), not '300'."),
        ("1/0/1", 300.0, "whole number"),
        ("1/0/1", 2**63, "whole number"),
        ("1/0/1", True, "not true"),
        ("1/0/6", 1, "true or false"),
        ("3/0/13", "2026-03-02", "Unix seconds"),
        ("3/0/15", 5, "a text"),
        ("3303/0/5603", "warm", "a number"),
        ("3303/0/5603", float("inf"), "a number"),
        ("3303/0/5603", 10**400, "a number"),
        ("5/0/0", "not base64!", "base64"),
        ("3306/0/5851", 101, "3306/0/5851: Dimmer takes 0..100, not 101."),
        ("5/0/1", "x" * 256, "takes 0..255"),
        ("3/0/4", 1, "3/0/4: Reboot has no value."),
        ("3/0", 1, "a resource or a resource instance"),
        (UNKNOWN, 1, "32123/0/1: no object model has this resource; give its type."),
    ],
)
def test_a_value_that_does_not_fit_is_refused(path: str, value: float | str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        fitting(PathValue(path=path, value=value), MODELS, {})
    assert reason in str(refusal.value)


def test_another_type_than_the_model_states_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="is of type integer, not string"):
        fitting(PathValue(path="1/0/1", value="300", type=DataType.STRING), MODELS, {})


@pytest.mark.parametrize(
    ("type_", "value"), [(DataType.OBJLNK, "3303:0"), (DataType.UNSIGNED, 2**64 - 1), (DataType.CORELNK, "</3>")]
)
def test_an_unknown_resource_takes_the_type_that_is_given(type_: DataType, value: int | str) -> None:
    assert fitting(PathValue(path=UNKNOWN, value=value, type=type_), MODELS, {}).type is type_


@pytest.mark.parametrize(
    ("type_", "value"), [(DataType.OBJLNK, "3303:70000"), (DataType.OBJLNK, "3303"), (DataType.UNSIGNED, -1)]
)
def test_an_unknown_resource_is_held_to_the_type_that_is_given(type_: DataType, value: int | str) -> None:
    with pytest.raises(InvalidRequest, match=UNKNOWN):
        fitting(PathValue(path=UNKNOWN, value=value, type=type_), MODELS, {})
