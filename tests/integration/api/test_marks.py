"""What was assumed about a device's values is on them, from its datagram to REST."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from nats.js import JetStreamContext

from flownexus_api import accounts
from harness.lockstep import CON, CONTENT_FORMAT, GET, POST, SENML_JSON, URI_PATH, LockstepDevice, datagram, uint
from harness.waiting import until
from integration.api.conftest import PASSWORD

if TYPE_CHECKING:
    from conftest import ServiceFactory

NAME = "odd-1"
URL = f"/api/v1/endpoints/{NAME}"
PACK = b"""[{"bn":"/3303/0/","n":"5700","vs":"21.5"},{"n":"5601","v":20.5,"t":4711},{"n":"5701","vs":"Cel"},
{"n":"5602","vs":"22","t":99999999999}]"""


async def test_values_that_were_taken_leniently_are_marked(
    js: JetStreamContext, service: ServiceFactory, database_url: str
) -> None:
    gateway, api = service("flownexus_gateway"), service("flownexus_api")
    service("flownexus_ingest")
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), NAME) as device:
        async with httpx.AsyncClient(base_url=api.health_url, timeout=30, trust_env=False) as client:
            accounts.add_user(database_url, "operator", "operator", PASSWORD)
            login = await client.post("/api/v1/auth/token", data={"username": "operator", "password": PASSWORD})
            client.headers["Authorization"] = f"Bearer {login.json()['access_token']}"
            device.register("</1/0>")
            options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(SENML_JSON))]
            await asyncio.to_thread(device.exchange, datagram(CON, POST, next(device.message_ids), b"s", options, PACK))

            async def values(count: int) -> dict[str, Any] | None:
                items = (await client.get(f"{URL}/resources")).json().get("items", [])
                found = {item["path"]: item for item in items if not item["path"].startswith("10240/")}
                return found if len(found) == count else None

            sent: dict[str, Any] = await until(lambda: values(4), 20, "the four values")
            assert {path: item["marks"] for path, item in sent.items()} == {
                "3303/0/5700": ["number-as-text"],
                "3303/0/5601": ["clock-not-set"],
                "3303/0/5701": [],
                "3303/0/5602": ["number-as-text", "clock-ahead"],
            }
            assert sent["3303/0/5700"]["value"] == 21.5
            assert sent["3303/0/5601"]["time"] == sent["3303/0/5601"]["received_at"]

            # An answer that states no Content-Format.
            asked = asyncio.create_task(
                client.post(f"{URL}/requests", json={"operation": "read", "path": "1/0/1", "timeout_s": 10})
            )
            heard = await asyncio.to_thread(device.expect_request, GET, "1/0/1")
            device.answer(heard, payload=b"60", content_format=None)
            assert (await asked).status_code == 200
            read: dict[str, Any] = await until(lambda: values(5), 20, "the value that was read")
            assert read["1/0/1"]["marks"] == ["content-format-assumed"]

            history = (await client.get(f"{URL}/history", params={"path": "3303/0/5700"})).json()["items"]
            assert [item["marks"] for item in history] == [["number-as-text"]]
    async with httpx.AsyncClient(trust_env=False) as client:
        counted = (await client.get(f"{gateway.health_url}/metrics")).text
    assert 'flownexus_gateway_marks_total{mark="number-as-text"} 2.0' in counted
    log = gateway.log_text()
    assert log.count("report.assumed") == 4
