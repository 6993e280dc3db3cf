"""Notification attributes as the queries of a Write-Attributes. LwM2M Core 1.1.1, 5.1.2; Transport 1.1.1, 6.4.3."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TypeVar

Name = TypeVar("Name", bound=str)


def attribute_queries(attributes: Mapping[Name, float | None]) -> tuple[str, ...]:
    """`pmin=10`, `gt=-0.25`; the name alone removes an attribute. Decimals without an exponent, whatever their size."""
    return tuple(name if value is None else f"{name}={_decimal(value)}" for name, value in attributes.items())


def _decimal(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else format(Decimal(repr(float(value))), "f")
