"""docs/security/threats.md says of each threat which test shows what holds against it: the test must be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "security" / "threats.md").read_text()
FILES = dict(re.findall(r"^\| ([A-Z]+) \| `(tests/[\w/.]+)` \|$", PAGE, re.MULTILINE))
NAMED = re.findall(r"`([A-Z]+)::(\w+)`", PAGE)
ROWS = re.findall(r"^\| (?!threat )(.+?) \| (.+?) \| (.+?) \|$", PAGE, re.MULTILINE)


def test_each_threat_names_a_test_that_exists() -> None:
    there = {
        key: set(re.findall(r"^(?:async )?def (test_\w+)\(", (ROOT / path).read_text(), re.MULTILINE))
        for key, path in FILES.items()
    }
    threats = [row for row in ROWS if "---" not in row[0]]
    assert len(threats) > 20
    assert [threat for threat, _, shown_by in threats if "::" not in shown_by] == []
    assert [f"{key}::{test}" for key, test in NAMED if test not in there[key]] == []
    assert set(FILES) == {key for key, _ in NAMED}
