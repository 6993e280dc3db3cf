"""`flownexus desired`, through the api, operations and the gateway to a simulated device."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import ServiceFactory
from harness.rows import rows
from harness.waiting import blocking_until
from integration.local.conftest import NODE, Run

pytestmark = pytest.mark.timeout(400)

STATES = "select state from desired_value order by path, attribute"


def stand(database_url: str, *states: str) -> None:
    """Wait until the desired values stand so."""
    blocking_until(lambda: [row[0] for row in rows(database_url, STATES)] == [*states], 90, f"{states}")


def test_values_are_set_shown_listed_counted_and_unset(run: Run, service: ServiceFactory, database_url: str) -> None:
    service("flownexus_operations")
    assert run("desired", "set", NODE, "1/0/1", "600").returncode == 0
    assert run("desired", "attributes", NODE, "/3303", "pmin=2", "pmax=none").returncode == 0
    # Writable by its model, and not there on this device.
    assert run("desired", "set", NODE, "3303/0/5750", "attic").returncode == 0
    stand(database_url, "in-sync", "in-sync", "in-sync", "refused")
    assert run("desired", "show", NODE).stdout.splitlines() == [
        "1/0/1 = 600  in-sync  reported 600",
        "3303 pmax = none  in-sync  reported none",
        "3303 pmin = 2.0  in-sync  reported 2.0",
        '3303/0/5750 = "attic"  refused  reported none  4.04',
    ]
    assert run("desired", "list").stdout == f'{NODE}  3303/0/5750 = "attic"  refused  reported none  4.04\n'
    assert len(run("desired", "list", "--all", "--path", "3303").stdout.splitlines()) == 2
    assert run("desired", "count").stdout == "4 of 1 endpoints  in-sync 3  refused 1\n"

    assert run("desired", "unset", NODE, "3303/0/5750").returncode == 0
    unknown = run("desired", "unset", NODE, "3303/0/5750")
    assert (unknown.returncode, "nothing is declared for 3303/0/5750" in unknown.stderr) == (2, True)
    wrong = run("desired", "set", NODE, "1/0/1", "often")
    assert (wrong.returncode, "the value is a whole number" in wrong.stderr) == (2, True)
    wrong = run("desired", "attributes", NODE, "3303", "pmin")
    assert (wrong.returncode, "is not NAME=NUMBER" in wrong.stderr) == (2, True)
    assert run("desired", "unset", NODE).returncode == 0
    stand(database_url)


def test_profiles_are_put_shown_listed_and_removed(
    run: Run, service: ServiceFactory, database_url: str, tmp_path: Path
) -> None:
    service("flownexus_operations")
    wish = {"endpoints": ["sim-*"], "priority": 5, "values": [{"path": "1/0/1", "value": 500}]}
    (tmp_path / "fleet.json").write_text(json.dumps(wish))
    assert run("desired", "profile", "put", "fleet", "fleet.json").returncode == 0
    assert run("desired", "profile", "list").stdout == "fleet  priority 5  endpoints sim-*  1/0/1\n"
    (tmp_path / "shown.json").write_text(run("desired", "profile", "show", "fleet").stdout)
    assert run("desired", "profile", "put", "fleet", "shown.json").returncode == 0
    stand(database_url, "in-sync")
    assert run("desired", "count", "--profile", "fleet").stdout == "1 of 1 endpoints  in-sync 1\n"
    assert run("desired", "show", NODE).stdout == "1/0/1 = 500  in-sync  reported 500  profile fleet\n"
    assert run("desired", "profile", "remove", "fleet").stdout == "fleet is gone\n"
    stand(database_url)
    (tmp_path / "broken.json").write_text("{")
    broken = run("desired", "profile", "put", "fleet", "broken.json")
    assert (broken.returncode, "is no JSON" in broken.stderr) == (2, True)
