"""Credentials of devices over REST: made, listed, rotated, revoked, and their keys never shown again."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import psycopg
from nats.js import JetStreamContext
from pydantic import SecretStr

from flownexus_runtime.sealing import CREDENTIALS, Sealer
from flownexus_schemas.credentials import PskCredential, stored_credential
from flownexus_schemas.subjects import Bucket
from integration.api.callers import Callers
from integration.api.conftest import CREDENTIALS_KEY, log_in

PATH = "/api/v1/credentials"
KEY = bytes(range(16)).hex()
PSK = {"endpoint": "device-1", "type": "psk", "identity": "its identity", "key": KEY}
X509 = {"endpoint": "device-2", "type": "x509", "subject": "device-2"}


async def make(client: httpx.AsyncClient, **fields: Any) -> dict[str, Any]:
    answer = await client.post(PATH, json=fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


async def stored(js: JetStreamContext, id_: str) -> PskCredential:
    entry = await (await js.key_value(Bucket.CREDENTIALS)).get(id_)
    found = stored_credential.validate_json(entry.value or b"")
    assert isinstance(found, PskCredential)
    return found


def key_of(credential: PskCredential) -> str:
    return Sealer(SecretStr(CREDENTIALS_KEY), CREDENTIALS).open(credential.sealed_key, credential.binding).hex()


def in_days(days: float) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


async def audit(database_url: str) -> list[tuple[str, str | None, Any]]:
    async with await psycopg.AsyncConnection.connect(database_url) as connection:
        found = await connection.execute(
            "select action, target, details from audit_entry where action like 'credential%' order by id"
        )
        return [(row[0], row[1], row[2]) for row in await found.fetchall()]


async def test_a_key_is_kept_sealed_and_shown_once_where_it_was_made_here(
    administrator: httpx.AsyncClient, js: JetStreamContext, database_url: str
) -> None:
    made = await make(administrator, **PSK)
    kept = await stored(js, made["id"])
    assert (made["key"], key_of(kept), kept.endpoint, kept.identity) == (None, KEY, "device-1", "its identity")
    shown = [
        json.dumps(made),
        (await administrator.get(PATH)).text,
        (await administrator.get(f"{PATH}/{made['id']}")).text,
        kept.model_dump_json(),
        json.dumps(await audit(database_url)),
    ]
    assert not [text for text in shown if KEY in text.lower()]
    assert not [text for text in (*shown[:3], shown[4]) if kept.sealed_key in text]
    own = await make(administrator, endpoint="urn:dev:1", type="psk")
    assert (own["identity"], len(own["key"])) == ("urn:dev:1", 32)
    assert key_of(await stored(js, own["id"])) == own["key"]
    assert own["key"] not in (await administrator.get(f"{PATH}/{own['id']}")).text
    assert (await make(administrator, endpoint="urn:dev:2", type="psk"))["key"] != own["key"]


async def test_credentials_are_listed_by_what_they_are(administrator: httpx.AsyncClient) -> None:
    keys = [await make(administrator, endpoint=f"key-{number}", type="psk") for number in range(5)]
    soon = await make(administrator, **X509, expires_at=in_days(20))
    late = await make(administrator, endpoint="device-2", type="x509", subject="dns:A.example", expires_at=in_days(99))
    await administrator.post(f"{PATH}/{keys[0]['id']}/revoke")

    async def ids(query: str) -> list[str]:
        answer = await administrator.get(f"{PATH}?{query}")
        assert answer.status_code == 200, answer.text
        return [one["id"] for one in answer.json()["items"]]

    certificates = sorted([soon["id"], late["id"]])
    assert await ids("") == certificates + [one["id"] for one in keys]
    assert await ids("type=x509") == certificates
    assert await ids("endpoint=device-2&expiring_within_days=30") == [soon["id"]]
    assert await ids("expiring_within_days=100") == certificates
    assert await ids("subject=dns:a.example") == [late["id"]]
    assert await ids("subject=device-2") == [soon["id"]]
    assert await ids("identity=key-3") == [keys[3]["id"]]
    assert await ids("state=revoked") == [keys[0]["id"]]
    assert len(await ids("state=active&state=revoked")) == 7
    pages: list[str] = []
    query = "limit=3"
    while query:
        page = (await administrator.get(f"{PATH}?{query}")).json()
        pages += [one["id"] for one in page["items"]]
        query = f"limit=3&cursor={page['next']}" if page["next"] else ""
    assert pages == await ids("")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"key": "00" * 15}, "key: a key has 16 to 64 bytes, and this one 15"),
    ({"key": "0123456789" * 13}, "key: a key has 16 to 64 bytes, and this one 65"),
    ({"key": "00112233445566778899aabbccddeefg"}, "key: a key is written in hexadecimal digits"),
    ({"key": KEY + "0"}, "key: a key has two digits for each byte, and these are 33"),
    ({"key": "00" * 16}, "key: a key of so few different bytes is easily guessed"),
    ({"identity": "x" * 129}, "identity: a PSK identity has 1 to 128 bytes"),
    ({"identity": ""}, "identity: a PSK identity has 1 to 128 bytes"),
    ({"endpoint": ""}, "endpoint: an endpoint name has 1 to 255 bytes, this one has 0"),
    ({"endpoint": "ä" * 128}, "endpoint: an endpoint name has 1 to 255 bytes, this one has 256"),
    ({"endpoint": "x" * 129, "identity": None}, "the endpoint's name is no PSK identity"),
    ({"type": "rpk"}, "'psk', 'x509'"),
    ({"subject": "cn:x"}, "subject: Extra inputs are not permitted"),
    ({"expires_at": "2001-01-01T00:00:00Z"}, "expires_at: it is past"),
    ({"expires_at": "2001-01-01T00:00:00"}, "expires_at: say which time zone"),
    ({"expires_at": "9999-12-31T23:59:59-23:59"}, "expires_at: a time is before the year 10000"),
    (
        {"not_before": "2098-01-01T00:00:00Z", "expires_at": "2097-01-01T00:00:00Z"},
        "expires_at is later than not_before",
    ),
    ({"type": "x509", "key": None, "identity": None, "subject": "sha256:12"}, "subject: the fingerprint"),
    ({"type": "x509", "key": None, "identity": None, "subject": ""}, "subject: a subject is not empty"),
]


async def test_what_no_credential_can_be_is_refused_with_what_to_do(callers: Callers) -> None:
    """Before the bus is asked, which is not there."""
    client = await callers.of_role("administrator")
    for change, said in WRONG:
        asked = {name: value for name, value in {**PSK, **change}.items() if value is not None}
        answer = await client.post("/credentials", json=asked)
        assert (answer.status_code, said in answer.json()["detail"]) == (422, True), answer.text
        assert str(asked.get("key", "no key")) not in answer.text


async def test_what_a_device_shows_names_one_credential(administrator: httpx.AsyncClient, database_url: str) -> None:
    first = await make(administrator, **PSK)
    same = [{"endpoint": f"d-{number}", "type": "psk", "identity": "i"} for number in range(8)]
    asked = [*same, {**PSK, "endpoint": "device-3"}]
    answers = await asyncio.gather(*(administrator.post(PATH, json=one) for one in asked))
    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 8]
    said = answers[-1].json()["detail"]
    assert said == (
        f"The identity 'its identity' is that of credential {first['id']!r} of 'device-1': rotate that one, or revoke "
        "it first."
    )
    await make(administrator, **X509)
    again = await administrator.post(PATH, json={**X509, "endpoint": "device-9", "subject": "cn:device-2"})
    assert again.status_code == 409
    await administrator.post(f"{PATH}/{first['id']}/revoke")
    await make(administrator, **PSK)


async def test_a_revoked_one_stays_listed_until_it_is_deleted(
    administrator: httpx.AsyncClient, database_url: str
) -> None:
    made = await make(administrator, **PSK)
    one = f"{PATH}/{made['id']}"
    kept = await administrator.delete(one)
    assert (kept.status_code, "revoke it first" in kept.json()["detail"]) == (409, True)
    first, second = [(await administrator.post(f"{one}/revoke")).json() for _ in range(2)]
    assert (first["state"], second["revoked_at"]) == ("revoked", first["revoked_at"])
    assert (await administrator.delete(one)).json()["state"] == "revoked"
    for gone in (
        await administrator.get(one),
        await administrator.delete(one),
        await administrator.post(f"{one}/revoke"),
        await administrator.post(f"{one}/rotate", json={}),
    ):
        assert (gone.status_code, made["id"] in gone.json()["detail"]) == (404, True)
    said = {"id": made["id"], "type": "psk", "identity": "its identity"}
    actions = ("created", "revoked", "revoked", "deleted")
    assert await audit(database_url) == [(f"credential.{action}", "device-1", said) for action in actions]


async def test_a_rotated_key_has_an_end_and_is_followed(
    administrator: httpx.AsyncClient, js: JetStreamContext, database_url: str
) -> None:
    first = await make(administrator, **PSK)
    until = in_days(7)
    rotated = (await administrator.post(f"{PATH}/{first['id']}/rotate", json={"until": until})).json()
    made, former = rotated["made"], rotated["former"]
    assert (former["id"], former["state"], former["until_used"]) == (first["id"], "active", made["id"])
    assert datetime.fromisoformat(former["expires_at"]) == datetime.fromisoformat(until)
    assert (made["identity"], made["endpoint"], made["state"]) == ("its identity", "device-1", "active")
    assert key_of(await stored(js, made["id"])) == made["key"] != KEY
    followed = await administrator.post(f"{PATH}/{first['id']}/rotate", json={})
    assert (followed.status_code, made["id"] in followed.json()["detail"]) == (409, True)
    chosen = {"identity": "another", "key": KEY, "until": until, "until_used": False}
    third = (await administrator.post(f"{PATH}/{made['id']}/rotate", json=chosen)).json()
    assert (third["made"]["key"], third["made"]["identity"], third["former"]["until_used"]) == (None, "another", None)
    assert [action for action, _, _ in await audit(database_url)] == ["credential.created", *["credential.rotated"] * 2]
    await administrator.post(f"{PATH}/{made['id']}/revoke")
    anew = (await administrator.post(f"{PATH}/{first['id']}/rotate", json={})).json()
    assert anew["former"]["until_used"] == anew["made"]["id"]


UNFIT: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [
    (PSK, {"until_used": False}, 422, "say until when the former one counts"),
    (PSK, {"until": "2001-01-01T00:00:00Z"}, 422, "until: it is past"),
    (PSK, {"subject": "cn:x"}, 422, "followed by a key"),
    (PSK, {"key": "12"}, 422, "16 to 64 bytes"),
    (PSK, {"identity": "taken"}, 409, "'taken' is that of credential"),
    (X509, {}, 422, "name the next certificate by another one"),
    (X509, {"subject": "cn:device-2"}, 422, "name the next certificate by another one"),
    (X509, {"key": KEY}, 422, "this one is a certificate"),
]


async def test_a_rotation_that_cannot_be_changes_nothing(administrator: httpx.AsyncClient) -> None:
    await make(administrator, endpoint="device-8", type="psk", identity="taken")
    ids = {one["type"]: (await make(administrator, **one))["id"] for one in (PSK, X509)}
    before = (await administrator.get(PATH)).json()
    for of, asked, status, said in UNFIT:
        answer = await administrator.post(f"{PATH}/{ids[of['type']]}/rotate", json=asked)
        assert (answer.status_code, said in answer.json()["detail"]) == (status, True), answer.text
    assert (await administrator.get(PATH)).json() == before
    for type_, asked in (("psk", {}), ("x509", {"subject": "cn:n"})):
        await administrator.post(f"{PATH}/{ids[type_]}/revoke")
        revoked = await administrator.post(f"{PATH}/{ids[type_]}/rotate", json=asked)
        assert (revoked.status_code, "make a new one" in revoked.json()["detail"]) == (409, True)


async def test_without_a_key_for_keys_certificates_alone_are_taken(
    js: JetStreamContext, operator: httpx.AsyncClient, database_url: str
) -> None:
    await log_in(operator, database_url, "administrator")
    refused = await operator.post(PATH, json=PSK)
    assert (refused.status_code, "FLOWNEXUS_CREDENTIALS_KEY" in refused.json()["detail"]) == (503, True)
    assert (await operator.post(PATH, json=X509)).status_code == 201
    assert [one["type"] for one in (await operator.get(PATH)).json()["items"]] == ["x509"]
