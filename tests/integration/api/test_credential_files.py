"""Credentials of devices from a CSV file and to one: all of it or nothing, and no key ever comes out."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import httpx
import psycopg
from nats.js import JetStreamContext
from pydantic import SecretStr

from flownexus_runtime.sealing import CREDENTIALS, Sealer
from flownexus_schemas.credentials import PskCredential, key_binding, stored_credential
from flownexus_schemas.subjects import Bucket
from integration.api.conftest import log_in

if TYPE_CHECKING:
    from conftest import ServiceFactory

PATH = "/api/v1/credentials"
KEY = bytes(range(16)).hex()
HEADER = "endpoint,type,identity,key,subject\n"


async def put(client: httpx.AsyncClient, text: str, query: str = "") -> httpx.Response:
    return await client.post(f"{PATH}/import{query}", content=text.encode(), headers={"Content-Type": "text/csv"})


async def listed(client: httpx.AsyncClient) -> list[str]:
    return [one["endpoint"] for one in (await client.get(f"{PATH}?limit=500")).json()["items"]]


async def test_a_file_is_imported_as_a_whole_and_exported_without_keys(
    administrator: httpx.AsyncClient, database_url: str
) -> None:
    text = f"{HEADER}device-1,psk,i-1,{KEY},\ndevice-2,psk,,,\ndevice-3,x509,,,pump\n"
    tried = (await put(administrator, text, "?dry_run=true")).json()
    assert (tried, await listed(administrator)) == ({"imported": 3, "dry_run": True, "items": []}, [])
    done = (await put(administrator, text)).json()
    assert (done["imported"], [one["key"] is None for one in done["items"]]) == (3, [True, False, True])
    assert await listed(administrator) == ["device-1", "device-2", "device-3"]
    exported = await administrator.get(f"{PATH}/export")
    assert exported.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(exported.text)))
    assert [(row["endpoint"], row["identity"], row["subject"], row["state"]) for row in rows] == [
        ("device-1", "i-1", "", "active"),
        ("device-2", "device-2", "", "active"),
        ("device-3", "", "cn:pump", "active"),
    ]
    assert not [key for key in (KEY, done["items"][1]["key"]) if key in exported.text]
    assert "device-1" not in (await administrator.get(f"{PATH}/export?type=x509")).text
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "select action, target, details->>'imported' from audit_entry where action like 'credential%' order by id"
        ).fetchall()
    assert found == [
        *(("credential.created", f"device-{number}", "true") for number in (1, 2, 3)),
        *[("credentials.exported", None, None)] * 2,
    ]


async def test_a_file_with_a_line_that_cannot_be_taken_changes_nothing_and_one_of_a_thousand_goes_in(
    administrator: httpx.AsyncClient, js: JetStreamContext
) -> None:
    assert (await put(administrator, f"{HEADER}device-1,psk,i-1,,\n")).status_code == 200
    before = (await js.stream_info(f"KV_{Bucket.CREDENTIALS}")).state.last_seq
    many = "".join(f"many-{number},psk,,,\n" for number in range(500))
    answer = await put(administrator, f"{HEADER}{many}device-2,psk,i-1,,\ndevice-3,psk,,{KEY}\n")
    assert (answer.status_code, [one["where"] for one in answer.json()["errors"]]) == (422, ["line 503"])
    taken = await put(administrator, f"{HEADER}{many}device-2,psk,i-1,,\nmany-7,psk,,,\n")
    assert taken.status_code == 422
    assert [one["where"] for one in taken.json()["errors"]] == ["line 502", "line 503"]
    assert "identity 'i-1' is that of credential" in taken.json()["errors"][0]["message"]
    assert "line 9 too" in taken.json()["errors"][1]["message"]
    assert (await js.stream_info(f"KV_{Bucket.CREDENTIALS}")).state.last_seq == before
    assert await listed(administrator) == ["device-1"]
    huge = await put(administrator, HEADER + "x" * (1 << 20))
    assert (huge.status_code, huge.headers["content-type"]) == (413, "application/problem+json")
    text = HEADER + "".join(f"device-{number:04},psk,,,\n" for number in range(1000))
    done = await put(administrator, text)
    assert (done.status_code, len({one["key"] for one in done.json()["items"]})) == (200, 1000)
    assert (await js.stream_info(f"KV_{Bucket.CREDENTIALS}")).state.messages == 1001
    assert len((await administrator.get(f"{PATH}/export")).text.splitlines()) == 1002


async def test_keys_are_sealed_anew_under_another_key_and_open_with_that_alone(
    js: JetStreamContext, service: ServiceFactory, database_url: str
) -> None:
    old, new = "the first key of the tests and long enough", "quite another key of later times"
    bucket = await js.key_value(Bucket.CREDENTIALS)
    for number in range(1001):
        id_, sealer = f"c{number}", Sealer(SecretStr(old), CREDENTIALS)
        sealed = sealer.seal(bytes.fromhex(KEY), key_binding(id_, "d", id_))
        kept = PskCredential(id=id_, endpoint="d", identity=id_, sealed_key=sealed, created_at=0.0)
        await bucket.put(id_, kept.model_dump_json().encode())
    api = service("flownexus_api", FLOWNEXUS_CREDENTIALS_KEY=f"{new},{old}")
    async with httpx.AsyncClient(base_url=api.health_url, timeout=20, trust_env=False) as client:
        await log_in(client, database_url, "administrator")
        assert (await client.post(f"{PATH}/reseal")).json() == {"resealed": 1000, "left": 1}
        assert (await client.post(f"{PATH}/reseal")).json() == {"resealed": 1, "left": 0}
        assert (await client.post(f"{PATH}/reseal")).json() == {"resealed": 0, "left": 0}
    for id_ in await bucket.keys():
        found = stored_credential.validate_json((await bucket.get(id_)).value or b"")
        assert isinstance(found, PskCredential)
        assert Sealer(SecretStr(new), CREDENTIALS).open(found.sealed_key, found.binding).hex() == KEY
