"""docs/devices.md says of each habit which test shows that it is taken: the test must be there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "devices.md").read_text()
FILES = dict(re.findall(r"^\| ([A-Z]{1,2}) \| `(tests/[\w/.]+)` \|$", PAGE, re.MULTILINE))
NAMED = re.findall(r"`([A-Z]{1,2})::(\w+)`", PAGE)


def names_in(path: str) -> set[str]:
    return set(re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / path).read_text(), re.MULTILINE))


def test_each_test_named_on_the_page_exists() -> None:
    assert len(NAMED) > 50
    there = {key: names_in(path) for key, path in FILES.items()}
    assert [f"{key}::{test}" for key, test in NAMED if test not in there[key]] == []


@pytest.mark.parametrize("key", ["Z", "J", "K", "I", "P"])
def test_each_test_of_a_habit_is_on_the_page(key: str) -> None:
    named = {test for file, test in NAMED if file == key}
    assert names_in(FILES[key]) == named
