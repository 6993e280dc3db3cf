"""`flownexus bootstrap`, through the api to what a gateway reads."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from integration.local.conftest import NODE, Run

pytestmark = pytest.mark.timeout(200)

OPEN = {"uri": "coap://192.0.2.1:5683", "security": "none", "lifetime_s": 600}
LINE = "coap://192.0.2.1:5683 (none)"


def test_what_devices_are_given_is_put_shown_listed_and_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "fleet.json").write_text(json.dumps({"servers": [OPEN], "endpoints": ["sim-*"], "priority": 5}))
    assert run("bootstrap", "profile", "put", "fleet", "fleet.json").returncode == 0
    assert run("bootstrap", "profile", "list").stdout == f"fleet  priority 5  endpoints sim-*  {LINE}\n"
    (tmp_path / "own.json").write_text(run("bootstrap", "show", NODE).stdout)
    assert json.loads((tmp_path / "own.json").read_text())["servers"][0]["lifetime_s"] == 600
    assert run("bootstrap", "put", NODE, "own.json").returncode == 0
    assert run("bootstrap", "list").stdout == f"{NODE}  {LINE}\n"
    assert run("bootstrap", "remove", NODE).stdout == f"{NODE} is given what the profile fleet says\n"
    assert run("bootstrap", "trigger", NODE).stdout.endswith("  QUEUED\n")
