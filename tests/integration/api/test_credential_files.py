"""Credentials of devices from a CSV file and to one: all of it or nothing, and no key ever comes out."""

from __future__ import annotations

import csv
import io

import httpx
import psycopg
from nats.js import JetStreamContext

from flownexus_schemas.subjects import Bucket

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
            "select action, details from audit_entry where action like 'credentials.%' order by id"
        ).fetchall()
    assert found == [
        ("credentials.imported", {"number": 3, "endpoints": ["device-1", "device-2", "device-3"]}),
        ("credentials.exported", {"number": 3}),
        ("credentials.exported", {"number": 1}),
    ]


async def test_a_file_with_a_line_that_cannot_be_taken_changes_nothing(
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


async def test_a_thousand_go_in_at_once_and_no_more_bytes_than_are_taken(
    administrator: httpx.AsyncClient, js: JetStreamContext
) -> None:
    text = HEADER + "".join(f"device-{number:04},psk,,,\n" for number in range(1000))
    done = await put(administrator, text)
    assert (done.status_code, len({one["key"] for one in done.json()["items"]})) == (200, 1000)
    assert (await js.stream_info(f"KV_{Bucket.CREDENTIALS}")).state.messages == 1000
    assert len((await administrator.get(f"{PATH}/export")).text.splitlines()) == 1001
    huge = await put(administrator, HEADER + "x" * (1 << 20))
    assert (huge.status_code, huge.headers["content-type"]) == (413, "application/problem+json")
