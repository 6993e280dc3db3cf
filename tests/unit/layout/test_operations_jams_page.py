"""docs/decisions/operations-jams.md says of each jam which test shows that it is not here: the test must be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "decisions" / "operations-jams.md").read_text()
FILES = dict(re.findall(r"^\| ([A-Z]) \| `(tests/[\w/.]+)` \|$", PAGE, re.MULTILINE))
NAMED = re.findall(r"`([A-Z])::(\w+)`", PAGE)


def names_in(path: str) -> set[str]:
    return set(re.findall(r"^async def (test_\w+)\(", (ROOT / path).read_text(), re.MULTILINE))


def test_each_test_named_on_the_page_exists() -> None:
    assert [f"{key}::{test}" for key, test in NAMED if test not in names_in(FILES[key])] == []


def test_each_test_of_a_jam_is_on_the_page() -> None:
    for key in ("J", "L"):
        assert names_in(FILES[key]) == {test for file, test in NAMED if file == key}
