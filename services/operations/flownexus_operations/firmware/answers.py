"""Values of the objects 5 and 3 as what a device says of its firmware."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from flownexus_schemas.firmware.happenings import Told

STATE, RESULT = "5/0/3", "5/0/5"
PACKAGE_VERSION, PROTOCOLS, DELIVERY, RUNNING_VERSION = "5/0/7", "5/0/8", "5/0/9", "3/0/3"

MAX_VERSION = 255
"""Characters of a version that are kept."""


class Value(Protocol):
    """A value that a device sent, in an answer or a report."""

    @property
    def path(self) -> str:
        """Where it is of."""

    @property
    def value(self) -> bool | int | float | str:
        """As the bus carries it."""


def told_by(values: Iterable[Value], at: datetime) -> Told:
    """What values say; those of other paths say nothing."""
    by_path = {value.path.strip("/"): value.value for value in values}
    protocols = {number(value) for path, value in by_path.items() if path.startswith(PROTOCOLS)} - {None}
    return Told(
        at=at,
        state=number(by_path.get(STATE)),
        result=number(by_path.get(RESULT)),
        package_version=_version(by_path.get(PACKAGE_VERSION)),
        running_version=_version(by_path.get(RUNNING_VERSION)),
        delivery=number(by_path.get(DELIVERY)),
        protocols=tuple(sorted(one for one in protocols if one is not None)) or None,
    )


def number(value: object) -> int | None:
    """An integer as it is; None for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _version(value: object) -> str | None:
    return value[:MAX_VERSION] if isinstance(value, str) else None
