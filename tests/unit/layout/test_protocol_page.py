"""docs/protocol.md says of each operation which test shows it: the test must be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
FILE = re.compile(r"^\| ([A-Z]) \| `(tests/[\w/.]+)` \|$", re.MULTILINE)
SHOWN_BY = re.compile(r"`([A-Z])::(\w+)`")


def test_each_test_named_on_the_page_of_the_protocol_exists() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    sources = {key: (ROOT / path).read_text() for key, path in FILE.findall(page)}
    named = SHOWN_BY.findall(page)
    assert len(named) > 50
    missing = [
        f"{key}::{test}" for key, test in named if not re.search(rf"^(async )?def {test}\(", sources[key], re.MULTILINE)
    ]
    assert not missing, "\n".join(missing)
