"""docs/requirements.md says of each requirement which test shows it: the test must be there."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
ROW = re.compile(r"^\| (S\d{3}) \| (.+?) \| (.+?) \|$", re.MULTILINE)
SHOWN_BY = re.compile(r"`((?:tests|docs|deploy|schemas)/[\w/.-]+|[A-Z]\w+(?:\.md)?)(?:::(\w+))?`")


def rows() -> list[tuple[str, str, str]]:
    return ROW.findall((ROOT / "docs" / "requirements.md").read_text())


def test_all_111_requirements_are_listed_once_and_in_order() -> None:
    assert [number for number, _, _ in rows()] == [f"S{number:03}" for number in range(1, 112)]


def test_each_is_shown_by_something_that_exists_or_marked_not_yet() -> None:
    missing = []
    for number, _, shown_by in rows():
        references = SHOWN_BY.findall(shown_by)
        if not references and not shown_by.startswith("not yet"):
            missing.append(f"{number}: neither a test nor 'not yet'")
        for path, test in references:
            file = ROOT / path
            if not file.exists():
                missing.append(f"{number}: {path} is not there")
            elif test and not re.search(rf"^(async )?def {test}\(", file.read_text(), re.MULTILINE):
                missing.append(f"{number}: {path} has no {test}")
    assert not missing, "\n".join(missing)
