"""`flownexus profiles` and `flownexus tag`, through the api and the gateway to a simulated device."""

from __future__ import annotations

import json
from pathlib import Path

from integration.local.conftest import NODE, Run


def test_profiles_are_put_shown_applied_and_removed_by_tag(run: Run, tmp_path: Path) -> None:
    assert run("profiles", "list").stdout == "default  where a device meets no other\n"
    assert run("tag", NODE, "north", "damp").stdout == "damp north\n"
    assert run("tag", NODE, "--remove", "north").stdout == "damp\n"
    assert run("tag", NODE).stdout == "damp\n"
    assert NODE in run("endpoints", "--tag", "damp").stdout
    assert run("endpoints", "--tag", "damp", "--tag", "north").stdout == "No device has damp and north\n"

    (tmp_path / "damp.json").write_text(json.dumps({"tags": ["damp"], "priority": 5, "observe": [{"path": "3/0/13"}]}))
    assert run("profiles", "put", "damp", "damp.json").returncode == 0
    assert run("profiles", "list").stdout.splitlines()[0] == "damp  priority 5  tags damp"
    shown = run("profiles", "show", "damp").stdout
    (tmp_path / "shown.json").write_text(shown)
    assert run("profiles", "put", "damp", "shown.json").returncode == 0
    assert json.loads(shown)["observe"][0]["path"] == "3/0/13"

    applied = run("profiles", "apply", "damp")
    assert (applied.returncode, applied.stderr) == (0, "")
    assert applied.stdout.startswith(f"{NODE}  damp  in-force  observed 3/0/13 cancelled 3303/0/5700")
    assert run("profiles", "apply", "--endpoint", NODE).stdout == f"{NODE}  damp  in-force\n"

    assert run("profiles", "remove", "damp").stdout == "damp is gone\n"
    assert run("profiles", "apply", "damp").returncode == 2
    assert run("profiles", "apply").returncode == 2
    (tmp_path / "broken.json").write_text("{")
    broken = run("profiles", "put", "damp", "broken.json")
    assert (broken.returncode, "is no JSON" in broken.stderr) == (2, True)
