"""Notification attributes: what each may be, where it may stand, and since which version. No I/O.

LwM2M Core 1.1.1, 5.1.2; 1.2, 5.1.2 for edge, con and hqmax.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from flownexus_schemas.lwm2m.datatype import DataType
from flownexus_schemas.lwm2m.errors import InvalidAttributes
from flownexus_schemas.lwm2m.path import Path

AttributeName = Literal["pmin", "pmax", "gt", "lt", "st", "epmin", "epmax", "edge", "con", "hqmax"]
"""Periods are in whole seconds, gt, lt and st in the unit of the resource, edge and con 0 or 1, hqmax a count."""

Name = TypeVar("Name", bound=str)

_SINCE: Mapping[str, tuple[int, int]] = {
    "epmin": (1, 1),
    "epmax": (1, 1),
    "edge": (1, 2),
    "con": (1, 2),
    "hqmax": (1, 2),
}
_WHOLE = frozenset({"pmin", "pmax", "epmin", "epmax", "hqmax"})
_SWITCHES = frozenset({"edge", "con"})
_OF_NUMBERS = frozenset({"gt", "lt", "st"})
_NUMBERS = frozenset({DataType.INTEGER, DataType.UNSIGNED, DataType.FLOAT, DataType.TIME})


def check_values(attributes: Mapping[Name, float | None]) -> None:
    """Each value by itself and those that go together; null, a removal, is always good. Raises InvalidAttributes."""
    given: dict[str, float] = {name: value for name, value in attributes.items() if value is not None}
    for name, value in given.items():
        if name in _WHOLE and (value < 0 or not float(value).is_integer()):
            raise InvalidAttributes(f"{name} is a whole number from 0 on, not {value:g}")
        if name in _SWITCHES and value not in {0, 1}:
            raise InvalidAttributes(f"{name} is 0 or 1, not {value:g}")
    if (step := given.get("st", 0)) < 0:
        raise InvalidAttributes(f"st is a number from 0 on, not {step:g}")
    for least, most in (("pmin", "pmax"), ("epmin", "epmax")):
        # 0 is a maximum that is not there.
        if 0 < given.get(most, 0) < given.get(least, 0):
            raise InvalidAttributes(f"{least} is {given[least]:g}, above {most}, which is {given[most]:g}")
    if "lt" in given and "gt" in given and given["lt"] + 2 * step >= given["gt"]:
        raise InvalidAttributes("lt and twice st together are below gt")


def check_place(
    attributes: Mapping[Name, float | None], path: Path, type_: DataType | None, version: tuple[int, int]
) -> None:
    """Whether they can stand at `path`, of that type where a model states it, on a device of that LwM2M version.

    Raises InvalidAttributes.
    """
    for name in attributes:
        if version < (since := _SINCE.get(name, version)):
            raise InvalidAttributes(
                f"{name} came with LwM2M {since[0]}.{since[1]}; this device speaks {version[0]}.{version[1]}"
            )
        if name in _OF_NUMBERS | {"edge"} and path.depth < 3:
            raise InvalidAttributes(f"{name} is for a resource, not for /{path}")
        if name in _OF_NUMBERS and type_ is not None and type_ not in _NUMBERS:
            raise InvalidAttributes(f"{name} is for a number; /{path} is {type_}")
        if name == "edge" and type_ is not None and type_ is not DataType.BOOLEAN:
            raise InvalidAttributes(f"edge is for a boolean; /{path} is {type_}")
