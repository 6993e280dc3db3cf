"""What notification attributes may be, and where. LwM2M Core 1.1.1 and 1.2, 5.1.2."""

from __future__ import annotations

import pytest

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import InvalidAttributes
from flownexus_schemas.lwm2m.notification_attributes import check_place, check_values
from flownexus_schemas.lwm2m.path import Path

VALUE = Path(3303, 0, 5700)


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"pmin": 0, "pmax": 0},
        {"pmin": 10, "pmax": 0},
        {"pmin": 10, "pmax": 10},
        {"pmin": None, "pmax": 5},
        {"epmin": 1, "epmax": 60},
        {"gt": 30.5, "lt": -1.25, "st": 0.5},
        {"st": 0},
        {"edge": 1, "con": 0, "hqmax": 20},
        {"edge": None, "con": None, "hqmax": None},
    ],
)
def test_what_a_device_takes_is_good(attributes: dict[str, float | None]) -> None:
    check_values(attributes)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"pmin": -1}, "pmin is a whole number"),
        ({"pmax": 1.5}, "pmax is a whole number"),
        ({"hqmax": 0.5}, "hqmax is a whole number"),
        ({"edge": 2}, "edge is 0 or 1"),
        ({"con": -1}, "con is 0 or 1"),
        ({"st": -0.1}, "st is a number from 0 on"),
        ({"pmin": 60, "pmax": 10}, "pmin is 60, above pmax, which is 10"),
        ({"epmin": 60, "epmax": 10}, "epmin is 60, above epmax"),
        ({"lt": 10, "gt": 10}, "below gt"),
        ({"lt": 9, "gt": 10, "st": 0.5}, "below gt"),
    ],
)
def test_what_no_device_takes_is_refused_with_the_reason(attributes: dict[str, float], reason: str) -> None:
    with pytest.raises(InvalidAttributes, match=reason):
        check_values(attributes)


@pytest.mark.parametrize(
    ("attributes", "path", "type_", "version"),
    [
        ({"pmin": 1, "pmax": 2}, Path(3303), None, (1, 0)),
        ({"gt": 1, "lt": 0, "st": 1}, VALUE, DataType.FLOAT, (1, 0)),
        ({"gt": 1}, Path(3303, 0, 5700, 0), DataType.INTEGER, (1, 0)),
        ({"gt": 1}, Path(33000, 0, 1), None, (1, 0)),
        ({"epmin": 1}, Path(3303, 0), None, (1, 1)),
        ({"edge": 1, "con": 1, "hqmax": 1}, Path(3342, 0, 5500), DataType.BOOLEAN, (1, 2)),
        ({"con": 1}, Path(3342), None, (1, 2)),
    ],
)
def test_each_has_its_place(
    attributes: dict[str, float], path: Path, type_: DataType | None, version: tuple[int, int]
) -> None:
    check_place(attributes, path, type_, version)


@pytest.mark.parametrize(
    ("attributes", "path", "type_", "version", "reason"),
    [
        ({"epmin": 1}, VALUE, DataType.FLOAT, (1, 0), "epmin came with LwM2M 1.1; this device speaks 1.0"),
        ({"edge": 1}, VALUE, DataType.BOOLEAN, (1, 1), "edge came with LwM2M 1.2"),
        ({"con": None}, VALUE, DataType.FLOAT, (1, 1), "con came with"),
        ({"hqmax": 1}, VALUE, DataType.FLOAT, (1, 1), "hqmax came with"),
        ({"gt": 1}, Path(3303, 0), None, (1, 2), "gt is for a resource, not for /3303/0"),
        ({"edge": 1}, Path(3342, 0), None, (1, 2), "edge is for a resource"),
        ({"st": 1}, Path(3, 0, 0), DataType.STRING, (1, 2), "st is for a number; /3/0/0 is string"),
        ({"edge": 1}, VALUE, DataType.FLOAT, (1, 2), "edge is for a boolean; /3303/0/5700 is float"),
    ],
)
def test_elsewhere_it_is_refused_with_the_reason(
    attributes: dict[str, float | None], path: Path, type_: DataType | None, version: tuple[int, int], reason: str
) -> None:
    with pytest.raises(InvalidAttributes, match=reason):
        check_place(attributes, path, type_, version)
