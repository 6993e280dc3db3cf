"""What no model names is kept, listed, and typed when the model comes: from the device to REST."""

from __future__ import annotations

import asyncio
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from nats.js import JetStreamContext

from flownexus_api import accounts
from harness.lockstep import GET, SENML_CBOR, TEXT, TLV, LockstepDevice
from harness.waiting import until
from integration.api.conftest import PASSWORD

if TYPE_CHECKING:
    from conftest import ServiceFactory

MODELS = "/api/v1/models"
LWM2M_JSON = 11543
INSTANCES = "".join(f",</26241/{number}>" for number in range(4))

ANSWERS = [
    ("26241/0", b"\xe4\x00\x01\x41\xac\x00\x00", TLV),  # resource 1, four bytes: 21.5 if it is a float
    ("26241/1/1", b"21.5", TEXT),
    ("26241/2", b"\x81\xa2\x00\x6a/26241/2/1\x02\xf9\x4d\x60", SENML_CBOR),  # [{0: "/26241/2/1", 2: 21.5}]
    ("26241/3", b'{"bn":"/26241/3/","e":[{"n":"1","v":21.5}]}', LWM2M_JSON),
]


def silo(kind: str, version: str) -> str:
    return (
        "<LWM2M><Object ObjectType='MODefinition'><Name>Silo</Name><Description1/><ObjectID>26241</ObjectID>"
        f"<ObjectURN>urn:oma:lwm2m:x:26241:{version}</ObjectURN><LWM2MVersion>1.0</LWM2MVersion>"
        f"<ObjectVersion>{version}</ObjectVersion><MultipleInstances>Multiple</MultipleInstances>"
        "<Mandatory>Optional</Mandatory><Resources><Item ID='1'><Name>Fill</Name><Operations>R</Operations>"
        f"<MultipleInstances>Single</MultipleInstances><Mandatory>Mandatory</Mandatory><Type>{kind}</Type>"
        "<RangeEnumeration/><Units>%</Units><Description/></Item></Resources></Object></LWM2M>"
    )


class Silos:
    """Two devices of another version of the object each, and an administrator at the API."""

    def __init__(self, client: httpx.AsyncClient, devices: dict[str, LockstepDevice]) -> None:
        self.client, self.devices = client, devices

    async def read(self, name: str, path: str, payload: bytes, content_format: int) -> None:
        asked = asyncio.create_task(
            self.client.post(f"/api/v1/endpoints/{name}/requests", json={"operation": "read", "path": path})
        )
        device = self.devices[name]
        heard = await asyncio.to_thread(device.expect_request, GET, path)
        device.answer(heard, payload=payload, content_format=content_format)
        assert (await asked).status_code == 200, (await asked).text

    async def unknown(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = (await self.client.get(f"{MODELS}/unknown")).json()["items"]
        return [item for item in items if item["id"] == 26241]

    async def fills(self, name: str) -> list[tuple[str, object]]:
        """Type and value of resource 1 of each instance, the latest."""
        latest = (await self.client.get(f"/api/v1/endpoints/{name}/resources", params={"object": 26241})).json()
        return [(item["type"], item["value"]) for item in latest["items"]]


@pytest.fixture
async def silos(js: JetStreamContext, service: ServiceFactory, database_url: str) -> Any:
    gateway, api = service("flownexus_gateway"), service("flownexus_api")
    service("flownexus_ingest")
    port = int(gateway.env["FLOWNEXUS_COAP_PORT"])
    with ExitStack() as stack:
        devices = {name: stack.enter_context(LockstepDevice(port, name)) for name in ("silo-1", "silo-2")}
        async with httpx.AsyncClient(base_url=api.health_url, timeout=30, trust_env=False) as client:
            accounts.add_user(database_url, "admin", "administrator", PASSWORD)
            answer = await client.post("/api/v1/auth/token", data={"username": "admin", "password": PASSWORD})
            client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            devices["silo-1"].register('</>;rt="oma.lwm2m",</26241>;ver=1.0' + INSTANCES)
            devices["silo-2"].register('</>;rt="oma.lwm2m",</26241>;ver=1.1' + INSTANCES)

            async def both() -> bool:
                listed = (await client.get("/api/v1/endpoints")).json()["items"]
                return len(listed) == 2

            came: bool = await until(both, 20, "both devices")
            assert came
            yield Silos(client, devices)


async def test_what_no_model_names_is_listed_kept_and_typed_when_its_model_is_uploaded(silos: Silos) -> None:
    for name in silos.devices:
        for path, payload, content_format in ANSWERS:
            await silos.read(name, path, payload, content_format)

    async def all_kept() -> list[dict[str, Any]] | None:
        kept = [len(await silos.fills(name)) for name in silos.devices]
        return await silos.unknown() if kept == [4, 4] else None

    kept: list[dict[str, Any]] = await until(all_kept, 20, "the unknown object")
    (listed,) = kept
    assert (listed["name"], listed["listed_by"]) == (None, 2)
    (resource,) = listed["resources"]
    assert (resource["id"], resource["endpoints"]) == (1, 2)
    assert sorted(resource["types"]) == ["float", "opaque", "string"]
    raw = [("opaque", "QawAAA=="), ("string", "21.5"), ("float", 21.5), ("float", 21.5)]
    assert await silos.fills("silo-1") == raw

    assert (await silos.client.put(MODELS, content=silo("Float", "1.0"))).status_code == 200
    assert (await silos.client.put(MODELS, content=silo("String", "1.1"))).status_code == 200

    async def typed() -> bool:
        return await silos.fills("silo-1") == [("float", 21.5)] * 4 and await silos.unknown() == []

    is_typed: bool = await until(typed, 20, "the values of the model's type")
    assert is_typed
    # The other device states version 1.1, in which the resource is a text; what is no text stays as it came.
    assert await silos.fills("silo-2") == [("opaque", "QawAAA=="), ("string", "21.5"), ("float", 21.5), ("float", 21.5)]
    history = (await silos.client.get("/api/v1/endpoints/silo-1/history", params={"path": "26241/0/1"})).json()
    assert [item["value"] for item in history["items"]] == [21.5]

    defined = (await silos.client.get(f"{MODELS}/26241/1.1")).json()
    assert [(one["name"], one["type"], one["units"]) for one in defined["definition"]] == [("Fill", "string", "%")]
    assert (await silos.client.get(f"{MODELS}/26241/9.9")).status_code == 404


async def test_a_definition_of_many_kilobytes_is_taken_and_one_beyond_the_limit_refused(silos: Silos) -> None:
    described = silo("Float", "1.0").replace("<Description/>", f"<Description>{'x' * 200_000}</Description>")
    assert (await silos.client.put(MODELS, content=described)).status_code == 200
    too_long = silo("Float", "1.0").replace("<Description/>", f"<Description>{'x' * 950_000}</Description>")
    assert (await silos.client.put(MODELS, content=too_long)).status_code == 413
