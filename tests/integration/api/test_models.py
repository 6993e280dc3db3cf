"""Object models over REST, in force in every service that runs, also for what was stored before."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import httpx
from nats.js import JetStreamContext

from flownexus_api import accounts
from harness.lockstep import GET, TEXT, LockstepDevice
from harness.rows import rows
from harness.waiting import until
from integration.api.conftest import PASSWORD

if TYPE_CHECKING:
    from conftest import ServiceFactory

MODELS = "/api/v1/models"
FILL = "26241/0/1"
SILO = (
    "<LWM2M><Object ObjectType='MODefinition'><Name>Silo</Name><Description1/><ObjectID>26241</ObjectID>"
    "<ObjectURN>urn:oma:lwm2m:x:26241</ObjectURN><MultipleInstances>Multiple</MultipleInstances>"
    "<Mandatory>Optional</Mandatory><Resources><Item ID='1'><Name>Fill</Name><Operations>RW</Operations>"
    "<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>Float</Type>"
    "<RangeEnumeration>0..100</RangeEnumeration><Units>%</Units><Description/></Item></Resources></Object></LWM2M>"
)


async def log_in(client: httpx.AsyncClient, database_url: str, role: str) -> None:
    accounts.add_user(database_url, role, role, PASSWORD)
    answer = await client.post("/api/v1/auth/token", data={"username": role, "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


async def read(client: httpx.AsyncClient, silo: LockstepDevice) -> dict[str, Any]:
    """The fill of a device that answers in text, as the API gives it."""
    asked = asyncio.create_task(
        client.post("/api/v1/endpoints/silo-1/requests", json={"operation": "read", "path": FILL, "timeout_s": 10})
    )
    heard = await asyncio.to_thread(silo.expect_request, GET, FILL)
    silo.answer(heard, payload=b"21.5", content_format=TEXT)
    answer = await asked
    assert answer.status_code == 200, answer.text
    [value] = answer.json()["values"]
    return {"type": value["type"], "value": value["value"]}


async def test_an_uploaded_model_is_in_force_everywhere_and_names_what_was_stored(
    js: JetStreamContext, service: ServiceFactory, database_url: str
) -> None:
    gateway, api = service("flownexus_gateway"), service("flownexus_api")
    ingest = service("flownexus_ingest")
    port = int(gateway.env["FLOWNEXUS_COAP_PORT"])

    async def registered() -> list[Any]:
        return rows(database_url, "select name from endpoint where registered")

    async def stored() -> list[Any]:
        return rows(database_url, "select name, units from resource_type where object_id = 26241")

    async def named() -> list[Any]:
        return [row for row in await stored() if row[0]]

    with LockstepDevice(port, "silo-1") as silo:
        async with httpx.AsyncClient(base_url=api.health_url, timeout=30, trust_env=False) as client:
            await log_in(client, database_url, "operator")
            silo.register('</>;rt="oma.lwm2m",</1/0>,</26241/0>')
            known: list[Any] = await until(registered, 10, "the registration in its table")
            assert known == [("silo-1",)]
            assert await read(client, silo) == {"type": "string", "value": "21.5"}
            unknown: list[Any] = await until(stored, 10, "the unknown resource")
            assert unknown == [(None, None)]

            assert (await client.put(MODELS, content=SILO)).status_code == 403
            await log_in(client, database_url, "administrator")
            assert (await client.put(MODELS, content=SILO[:-9])).status_code == 422
            uploaded = await client.put(MODELS, content=SILO)
            assert uploaded.status_code == 200, uploaded.text
            [model] = uploaded.json()["items"]
            assert (model["id"], model["version"], model["uploaded"]) == (26241, "1.0", True)

            names: list[Any] = await until(named, 10, "the name of what was stored")
            assert names == [("Fill", "%")]
            assert model in (await client.get(MODELS)).json()["items"]
            assert await read(client, silo) == {"type": "float", "value": 21.5}
            too_full = {"operation": "write", "path": FILL, "value": 101}
            refused = await client.post("/api/v1/endpoints/silo-1/requests", json=too_full)
            assert (refused.status_code, "takes 0..100" in refused.text) == (422, True)

            ingest.restart()
            assert await stored() == [("Fill", "%")]
    assert rows(database_url, "select actor, target from audit_entry where action = 'model.uploaded'") == [
        ("administrator", "26241.1.0")
    ]


async def test_an_uploaded_model_is_removed_and_its_names_go_one_of_the_installation_stays(
    js: JetStreamContext, service: ServiceFactory, database_url: str
) -> None:
    gateway, api = service("flownexus_gateway"), service("flownexus_api")
    service("flownexus_ingest")

    async def registered() -> list[Any]:
        return rows(database_url, "select name from endpoint where registered")

    async def named() -> list[Any]:
        return rows(database_url, "select 1 from resource_type where object_id = 26241 and name = 'Fill'")

    async def nameless() -> list[Any]:
        return rows(database_url, "select 1 from resource_type where object_id = 26241 and name is null")

    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), "silo-1") as silo:
        async with httpx.AsyncClient(base_url=api.health_url, timeout=30, trust_env=False) as client:
            await log_in(client, database_url, "administrator")
            before = (await client.get(MODELS)).json()["items"]
            assert (await client.put(MODELS, content=SILO)).status_code == 200

            async def listed() -> list[Any]:
                return [model for model in (await client.get(MODELS)).json()["items"] if model not in before]

            silos: list[Any] = await until(listed, 10, "the model in force")
            assert [model["name"] for model in silos] == ["Silo"]
            silo.register('</>;rt="oma.lwm2m",</1/0>,</26241/0>')
            known: list[Any] = await until(registered, 10, "the registration in its table")
            assert known == [("silo-1",)]
            await read(client, silo)
            names: list[Any] = await until(named, 10, "the name")
            assert names == [(1,)]
            ours = before[0]
            kept = await client.delete(f"{MODELS}/{ours['id']}/{ours['version']}")
            assert (kept.status_code, "part of the installation" in kept.json()["detail"]) == (409, True)
            assert (await client.delete(f"{MODELS}/26241/2.0")).status_code == 404
            as_administrator = client.headers["Authorization"]
            await log_in(client, database_url, "operator")
            assert (await client.delete(f"{MODELS}/26241/1.0")).status_code == 403
            client.headers["Authorization"] = as_administrator

            removed = await client.delete(f"{MODELS}/26241/1.0")
            assert (removed.status_code, removed.json()["name"]) == (200, "Silo")
            gone: list[Any] = await until(nameless, 10, "the name gone")
            assert gone == [(1,)]
            assert (await client.get(MODELS)).json()["items"] == before
    assert rows(database_url, "select actor, target from audit_entry where action = 'model.removed'") == [
        ("administrator", "26241.1.0")
    ]
