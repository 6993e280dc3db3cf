"""docs/protocol.md says of each operation which test shows it: the test must be there."""

from __future__ import annotations

import re
from pathlib import Path

from integration.gateway.test_protocol_matrix import (
    CBOR,
    EACH,
    LWM2M_CBOR,
    LWM2M_JSON,
    OF_ONE_VALUE,
    OPAQUE,
    SENML_CBOR,
    SENML_JSON,
    TEXT,
    TLV,
    places,
)

ROOT = Path(__file__).parents[3]
FILE = re.compile(r"^\| ([A-Z]{1,2}) \| `(tests/[\w/.]+)` \|$", re.MULTILINE)
SHOWN_BY = re.compile(r"`([A-Z]{1,2})::(\w+)`")


def test_each_test_named_on_the_page_of_the_protocol_exists() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    sources = {key: (ROOT / path).read_text() for key, path in FILE.findall(page)}
    named = SHOWN_BY.findall(page)
    assert len(named) > 50
    missing = [
        f"{key}::{test}" for key, test in named if not re.search(rf"^(async )?def {test}\(", sources[key], re.MULTILINE)
    ]
    assert not missing, "\n".join(missing)


NAMES = {
    TEXT: "text",
    OPAQUE: "opaque",
    CBOR: "CBOR",
    TLV: "TLV",
    LWM2M_JSON: "LwM2M JSON",
    SENML_JSON: "SenML JSON",
    SENML_CBOR: "SenML CBOR",
    LWM2M_CBOR: "LwM2M CBOR",
}


def test_the_page_has_a_row_for_each_format_of_each_version_with_the_depths_that_are_tried() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    wanted = [row(version, content_format) for version, content_format in EACH]
    assert [line for line in page.splitlines() if re.match(r"\| 1\.[0-9] \|", line)] == wanted
    assert "not yet" not in page


def row(version: str, content_format: int) -> str:
    asked = ", ".join(places(version, content_format))
    written = ", ".join(depth for depth in places(version, content_format) if depth != "object")
    created = "-" if content_format in OF_ONE_VALUE else "object instance"
    return f"| {version} | {NAMES[content_format]} | {asked} | {written} | {asked} | {created} |"
