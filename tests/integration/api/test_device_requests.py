"""Requests over REST, through the real gateway, to a simulated device and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext

from flownexus_api import accounts
from harness.fleet import RunningFleet
from harness.services import ServiceProcess
from harness.waiting import until
from integration.api.conftest import PASSWORD

if TYPE_CHECKING:
    from conftest import ServiceFactory

NODE = "sim-00000"


class Door:
    """The API with its gateway and one device behind it."""

    def __init__(
        self, client: httpx.AsyncClient, gateway: ServiceProcess, fleet: RunningFleet, database_url: str
    ) -> None:
        self.client, self.gateway, self.fleet, self.database_url = client, gateway, fleet, database_url

    async def log_in(self, role: str) -> None:
        accounts.add_user(self.database_url, role, role, PASSWORD)
        form = {"username": role, "password": PASSWORD}
        answer = await self.client.post("/api/v1/auth/token", data=form)
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def ask(self, endpoint: str = NODE, **asked: Any) -> httpx.Response:
        return await self.client.post(f"/api/v1/endpoints/{endpoint}/requests", json={"timeout_s": 10} | asked)

    async def answered(self, **asked: Any) -> dict[str, Any]:
        answer = await self.ask(**asked)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def change(self, statement: str) -> None:
        """Change rows behind the back of everybody."""
        with psycopg.connect(self.database_url) as connection:
            connection.execute(statement)

    def audit(self) -> list[tuple[object, ...]]:
        with psycopg.connect(self.database_url) as connection:
            return connection.execute(
                "select actor, action, target, details from audit_entry where action like 'device.%' order by id"
            ).fetchall()


@pytest.fixture
async def door(js: JetStreamContext, service: ServiceFactory, database_url: str, tmp_path: Path) -> AsyncIterator[Door]:
    """Logged in as an operator; the device is registered and observed."""
    gateway, api = service("flownexus_gateway"), service("flownexus_api")
    service("flownexus_ingest")
    fleet = RunningFleet(tmp_path / "fleet", int(gateway.env["FLOWNEXUS_COAP_PORT"]), "--devices=1", "--interval=1")
    async with httpx.AsyncClient(base_url=api.health_url, timeout=60, trust_env=False) as client:
        door = Door(client, gateway, fleet, database_url)
        await door.log_in("operator")

        async def observed() -> str | None:
            seen = (await client.get(f"/api/v1/endpoints/{NODE}")).json()
            return NODE if len(seen.get("observations", ())) == 2 else None

        try:
            came: str = await until(observed, 30, "the device, observed")
            assert came == NODE
            yield door
        finally:
            fleet.kill()


async def test_a_device_is_read_written_executed_discovered_and_observed(door: Door) -> None:
    read = await door.answered(operation="read", path="/3/0/1")
    assert read["code"] == "2.05"
    assert [(one["path"], one["type"], one["value"]) for one in read["values"]] == [
        ("3/0/1", "string", "simulated device")
    ]
    composite = await door.answered(operation="read-composite", paths=["3/0/0", "3303/0/5701"])
    assert {one["path"]: one["value"] for one in composite["values"]} == {"3/0/0": "Flow Nexus", "3303/0/5701": "Cel"}

    assert (await door.answered(operation="write", path="1/0/2", value=3))["code"] == "2.04"
    assert [one["value"] for one in (await door.answered(operation="read", path="1/0/2"))["values"]] == [3]
    both = [{"path": "1/0/2", "value": 4}, {"path": "3/0/15", "value": "Europe/Zurich"}]
    assert (await door.answered(operation="write-composite", values=both))["code"] == "2.04"

    attributes = {"pmin": 5, "pmax": 60}
    written = await door.answered(operation="write-attributes", path="3303/0/5700", attributes=attributes)
    assert written["code"] == "2.04"
    assert "</3303/0/5700>;pmin=5;pmax=60" in (await door.answered(operation="discover", path="3303"))["links"]
    removed = await door.answered(operation="write-attributes", path="3303/0/5700", attributes={"pmin": None})
    assert removed["code"] == "2.04"

    assert (await door.answered(operation="observe", path="6/0"))["code"] == "2.05"
    assert (await door.answered(operation="cancel-observation", path="6/0"))["code"] == "2.05"
    assert (await door.answered(operation="execute", path="3/0/4"))["code"] == "2.04"

    assert door.audit()[0] == ("operator", "device.write", NODE, {"paths": ["1/0/2"], "code": "2.04"})
    assert [action for _, action, _, _ in door.audit()] == [
        "device.write",
        "device.write-composite",
        "device.write-attributes",
        "device.write-attributes",
        "device.execute",
    ]


async def test_where_the_gateway_that_the_tables_name_is_away_another_one_finds_the_device(door: Door) -> None:
    door.change("update endpoint set gateway = 'gone'")

    assert (await door.answered(operation="read", path="/3/0/1"))["code"] == "2.05"


async def test_the_devices_refusal_is_an_answer_and_ours_is_a_problem(door: Door) -> None:
    assert (await door.answered(operation="read", path="3/0/99"))["code"] == "4.04"

    refused = await door.ask(operation="write", path="1/0/1", value="soon")
    assert (refused.status_code, refused.headers["content-type"]) == (422, "application/problem+json")
    assert refused.json()["detail"] == "1/0/1: the value is a whole number of 64 bits (type integer), not 'soon'."
    assert door.audit() == []

    assert (await door.ask("nobody", operation="read", path="3")).status_code == 404
    await door.log_in("viewer")
    forbidden = await door.ask(operation="read", path="3")
    assert forbidden.status_code == 403
    assert "operator" in forbidden.json()["detail"]


async def test_a_device_that_cannot_be_reached_is_told_apart(door: Door) -> None:
    door.fleet.kill()
    silent = await door.ask(operation="execute", path="3/0/4", timeout_s=0.5)
    assert silent.status_code == 504
    assert "did not answer" in str(door.audit()[-1][3])

    door.change("update endpoint set queue_mode = true, awake_until = now() - interval '1 hour'")
    answer = await door.ask(operation="read", path="3")
    assert answer.status_code == 409
    assert "is asleep" in answer.json()["detail"]
    door.change("update endpoint set answers_asleep_within_s = 1")
    asleep = await door.ask(operation="read", path="3", timeout_s=0.5)
    assert (asleep.status_code, "within 0.5 s" in asleep.json()["detail"]) == (504, True)

    door.change("update endpoint set queue_mode = false")
    door.gateway.kill()
    away = await door.ask(operation="execute", path="3/0/4")
    assert away.status_code == 503
    assert "gateway gw-1" in away.json()["detail"]
    assert "is away" in str(door.audit()[-1][3])

    door.change("update endpoint set registered = false")
    answer = await door.ask(operation="read", path="3")
    assert answer.status_code == 409
    assert "not registered" in answer.json()["detail"]
