"""What a caller writes becomes the command that a gateway takes, or is refused with the field that is wrong."""

from __future__ import annotations

from typing import Any

import pytest

from flownexus_api.device_request import DeviceRequest
from flownexus_schemas import objects
from flownexus_schemas.commands import AnyCommand, CancelObservation, PathValue, WriteAttributes, WriteResource
from flownexus_schemas.errors import InvalidRequest
from flownexus_schemas.lwm2m.datatype import DataType

MODELS = objects.load()


def command(**asked: Any) -> AnyCommand:
    return DeviceRequest.model_validate(asked).command("node", MODELS, {})


@pytest.mark.parametrize(
    "asked",
    [
        {"operation": "read", "path": "3/0", "format": 11542},
        {"operation": "discover", "path": "3"},
        {"operation": "execute", "path": "3/0/4", "arguments": "0='a'"},
        {"operation": "create", "path": "3303", "values": [{"path": "3303/1/5603", "value": 1}]},
        {"operation": "delete", "path": "3303/1"},
        {"operation": "observe", "path": "3303/0/5700"},
        {"operation": "read-composite", "paths": ["3/0/0", "3303"]},
        {"operation": "observe-composite", "paths": ["3/0/9", "3303"], "event_type": "power"},
        {"operation": "write-composite", "values": [{"path": "1/0/1", "value": 60}]},
    ],
    ids=lambda asked: str(asked["operation"]),
)
def test_each_operation_becomes_its_command(asked: dict[str, Any]) -> None:
    made = command(**asked)
    assert made.operation == asked["operation"]
    assert (made.endpoint, made.timeout_s) == ("node", 30)


def test_one_value_is_written_to_the_path() -> None:
    made = command(operation="write", path="1/0/1", value=60)
    assert isinstance(made, WriteResource)
    assert made.values == (PathValue(path="1/0/1", value=60, type=DataType.INTEGER),)


def test_false_and_nought_are_values() -> None:
    for path, value in (("1/0/6", False), ("3303/0/5603", 0)):
        made = command(operation="write", path=path, value=value)
        assert isinstance(made, WriteResource)
        assert made.values[0].value == value


def test_an_attribute_is_removed_with_null() -> None:
    made = command(operation="write-attributes", path="3303/0/5700", attributes={"pmin": 5, "gt": None})
    assert isinstance(made, WriteAttributes)
    assert made.attributes == {"pmin": 5, "gt": None}


def test_one_observation_is_cancelled_by_its_path() -> None:
    made = command(operation="cancel-observation", path="3303/0/5700")
    assert isinstance(made, CancelObservation)
    assert made.paths == ("3303/0/5700",)


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ({"operation": "read"}, "path: Field required"),
        ({"operation": "read", "path": "3/0", "paths": ["3"]}, "paths: read has no such field"),
        ({"operation": "read", "path": "3/0", "value": 1}, "values: read has no such field"),
        ({"operation": "write", "path": "1/0/1"}, "values: Field required"),
        ({"operation": "write", "value": 1}, "value: it goes with one path"),
        ({"operation": "write", "path": "1/0/1", "value": "soon"}, "1/0/1: the value is a whole number"),
        ({"operation": "execute", "path": "3/0/4", "type": "string"}, "type: it goes with value"),
        ({"operation": "read-composite", "path": "3"}, "path: read-composite has no such field"),
    ],
)
def test_what_the_operation_does_not_take_is_refused(asked: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        command(**asked)
    assert reason in str(refusal.value)
