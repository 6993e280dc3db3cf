"""Helm, for all tests of the chart."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from harness import helm


@pytest.fixture(scope="session", autouse=True)
def helm_ends() -> Iterator[None]:
    """Its program ends with the tests."""
    yield
    helm.close()
