"""Numbers in the queries of Write-Attributes. LwM2M Core 1.1.1, 5.1.2."""

from __future__ import annotations

import pytest

from flownexus_gateway.downlink.attribute_queries import attribute_queries


@pytest.mark.parametrize(
    ("value", "query"),
    [
        (10, "gt=10"),
        (10.0, "gt=10"),
        (0.25, "gt=0.25"),
        (-1.5, "gt=-1.5"),
        (12345678, "gt=12345678"),
        (1234567.25, "gt=1234567.25"),
        (0.00000125, "gt=0.00000125"),
        (None, "gt"),
    ],
)
def test_a_number_is_whole_and_without_an_exponent(value: float | None, query: str) -> None:
    assert attribute_queries({"gt": value}) == (query,)
