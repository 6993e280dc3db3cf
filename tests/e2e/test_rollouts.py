"""Rollouts over simulated devices that fetch, check and install real images, in the whole system."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from functools import partial
from typing import Any

import httpx
import pytest

from flownexus_simulator.image import make
from harness.embedded import open_folder
from harness.fleet import RunningFleet
from harness.rows import rows
from harness.system import RunningSystem
from harness.waiting import blocking_until

pytestmark = pytest.mark.timeout(900)

_numbers = itertools.count(1)

DEVICES = 200
SIZE = 20_000
INTERVAL_S = 30
RUNS = """
select e.name, v.value_text from latest_value v join endpoint e on e.id = v.endpoint_id
    join resource_type t on t.id = v.resource_type_id
where t.object_id = 3 and t.resource_id = 3 and starts_with(e.name, %s)
"""
REGISTERED = "select count(*) from endpoint where registered and starts_with(name, %s)"


@pytest.fixture(scope="module")
def system() -> Iterator[RunningSystem]:
    with open_folder() as folder:
        running = RunningSystem(folder)
        try:
            running.start()
            yield running
        finally:
            running.erase()


class Devices:
    """A fleet of this prefix, registered, and the api."""

    def __init__(self, system: RunningSystem, api: httpx.Client, prefix: str, count: int) -> None:
        self.system, self.api, self.prefix = system, api, prefix
        self.ledger = system.folder.parent / prefix / "firmware.jsonl"
        self.fleet = RunningFleet(
            system.folder.parent / prefix,
            system.coap_port,
            f"--prefix={prefix}",
            f"--devices={count}",
            f"--interval={INTERVAL_S}",
            "--lifetime=300",
            "--start-rate=20",
            f"--firmware-ledger={self.ledger}",
        )
        blocking_until(partial(self._are_registered, count), 120, f"{count} registrations")

    def upload(self, version: str, fault: str | None = None) -> str:
        """An image that makes each device fail so, or none; its id."""
        query = {"name": f"app-{self.prefix}", "version": version, "file_name": "fw.bin"}
        image = make(query["name"], version, SIZE, fault=fault)
        answer = self.api.post("/api/v1/firmware", params=query, content=image)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def start(self, firmware: str, **changes: Any) -> str:
        """A rollout to all of them; its id."""
        asked = {"name": f"to {firmware}", "firmware": firmware, "select": {"endpoints": [f"{self.prefix}-*"]}}
        answer = self.api.post("/api/v1/rollouts", json=asked | changes, timeout=60)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["rollout"]["id"])

    def rollout(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.api.get(f"/api/v1/rollouts/{name}").raise_for_status().json()
        return found

    def reaches(self, name: str, status: str, timeout_s: float = 300) -> dict[str, Any]:
        def there() -> dict[str, Any] | None:
            found = self.rollout(name)
            ended = found["status"] in {status, "HALTED", "STOPPED", "FINISHED"}
            return found if ended else None

        found = blocking_until(there, timeout_s, f"{status} of the rollout")
        assert found["status"] == status, found["last_action"]
        return found

    def devices(self, name: str) -> dict[str, dict[str, Any]]:
        answer = self.api.get(f"/api/v1/rollouts/{name}/devices", params={"limit": 500}).raise_for_status()
        return {one["endpoint"]: one for one in answer.json()["items"]}

    def run(self) -> Counter[str]:
        """How many say that they run which version."""
        return Counter(version for _, version in rows(self.system.connection.database_url, RUNS, f"{self.prefix}-"))

    def had(self) -> list[dict[str, Any]]:
        """What the devices say of images that they had."""
        return [json.loads(line) for line in self.ledger.read_text().splitlines()] if self.ledger.exists() else []

    def _are_registered(self, count: int) -> bool:
        found = rows(self.system.connection.database_url, REGISTERED, f"{self.prefix}-")
        return bool(found[0][0] == count)


@pytest.fixture(scope="module")
def api(system: RunningSystem) -> Iterator[httpx.Client]:
    with system.api() as client:
        yield client


@pytest.fixture(scope="module")
def fleet(system: RunningSystem, api: httpx.Client) -> Iterator[Devices]:
    """200 devices."""
    devices = Devices(system, api, "roll", DEVICES)
    yield devices
    devices.fleet.kill()


@pytest.fixture
def few(system: RunningSystem, api: httpx.Client) -> Iterator[Devices]:
    """Six devices, others for each test."""
    devices = Devices(system, api, f"few{next(_numbers)}", 6)
    yield devices
    devices.fleet.kill()


def test_an_image_that_makes_devices_fail_halts_within_the_first_group(fleet: Devices) -> None:
    image = fleet.upload("3.0.0", fault="install-fails")
    name = fleet.start(image)
    halted = fleet.reaches(name, "HALTED")
    assert "devices of group 1 failed, more than 10 %" in halted["last_action"]
    first, *others = halted["groups"]
    assert (first["size"], [group["begun_at"] for group in others]) == (10, [None, None])

    def is_quiet() -> bool:
        return not {"UPDATING", "RECALLED"} & fleet.rollout(name)["by_status"].keys()

    blocking_until(is_quiet, 120, "the end of what was under way")
    devices = fleet.devices(name)
    begun = {endpoint for endpoint, device in devices.items() if device["attempt"] > 0}
    assert begun <= {endpoint for endpoint, device in devices.items() if device["group"] == 1}
    failed = {endpoint for endpoint, device in devices.items() if device["status"] == "FAILED"}
    assert 2 <= len(failed) <= 10
    assert all("(8)" in devices[endpoint]["last_action"] for endpoint in failed)
    assert {one["endpoint"] for one in fleet.had() if one["version"] == "3.0.0"} <= begun
    report = fleet.api.get(f"/api/v1/rollouts/{name}/report").raise_for_status().json()
    assert (report["succeeded"], report["failed"], report["not_begun"]) == (0, len(failed), DEVICES - len(failed))
    assert fleet.api.post(f"/api/v1/rollouts/{name}/stop").is_success


def test_a_good_image_comes_to_all_of_them_group_after_group(fleet: Devices) -> None:
    image = fleet.upload("2.0.0")
    name = fleet.start(image, watch={"seconds": 10})
    done = fleet.reaches(name, "FINISHED", 600)
    assert done["last_action"] == f"Finished: {DEVICES} succeeded."
    assert [group["size"] for group in done["groups"]] == [10, 50, 140]
    assert fleet.run() == {"2.0.0": DEVICES}
    installed = Counter(one["endpoint"] for one in fleet.had() if (one["version"], one["result"]) == ("2.0.0", 1))
    assert (len(installed), set(installed.values())) == (DEVICES, {1})
    begun = [group["begun_at"] for group in done["groups"]]
    for number in (2, 3):
        before = [device for device in fleet.devices(name).values() if device["group"] == number - 1]
        well = sorted(device["ended_at"] for device in before)
        assert begun[number - 1] >= well[len(well) * 9 // 10 - 1]


def test_an_image_that_makes_devices_reboot_halts_although_each_update_succeeded(few: Devices) -> None:
    image = few.upload("4.0.0", fault="reboots")
    watch = {"seconds": 120, "more_registrations": 2}
    name = few.start(image, groups=[{"devices": 2}, {}], watch=watch)
    halted = few.reaches(name, "HALTED")
    assert "times since its update" in halted["last_action"]
    assert "REBOOTING" in halted["by_status"]
    assert halted["by_status"]["WAITING"] == 4


def test_an_image_after_which_devices_do_not_come_back_halts_when_their_time_is_over(few: Devices) -> None:
    image = few.upload("5.0.0", fault="quiet")
    name = few.start(image, groups=[{"devices": 2}, {}], give_up_after_s=60)
    halted = few.reaches(name, "HALTED")
    assert "it took more than 60 s" in halted["last_action"]
    assert (halted["by_status"].get("FAILED", 0) > 0, halted["by_status"]["WAITING"]) == (True, 4)


def test_updated_devices_that_go_quiet_halt_it(few: Devices) -> None:
    image = few.upload("2.0.0")
    name = few.start(image, groups=[{"devices": 2}, {}], watch={"seconds": 600, "quiet_after_s": INTERVAL_S + 15})
    blocking_until(lambda: few.rollout(name)["by_status"].get("WATCHED") == 2, 120, "two updated devices")
    few.fleet.kill()
    halted = few.reaches(name, "HALTED")
    assert "was not heard for" in halted["last_action"]
    assert (halted["by_status"].get("QUIET", 0) > 0, halted["by_status"]["WAITING"]) == (True, 4)


def test_devices_get_back_what_they_had(few: Devices) -> None:
    before, image = few.upload("1.0.0"), few.upload("2.0.0")
    name = few.start(image, groups=[{}], watch={"seconds": 0})
    few.reaches(name, "FINISHED")
    assert few.run() == {"2.0.0": 6}
    asked = {"name": "back", "watch": {"seconds": 0}}
    answer = few.api.post(f"/api/v1/rollouts/{name}/rollback", json=asked, timeout=60)
    assert answer.status_code == 202, answer.text
    back = answer.json()
    assert (back["devices"], back["left_out"], back["rollout"]["rollback_of"]) == (6, [], name)
    few.reaches(back["rollout"]["id"], "FINISHED")
    assert few.run() == {"1.0.0": 6}
    assert {device["firmware"] for device in few.devices(back["rollout"]["id"]).values()} == {before}
