"""What devices are given at a bootstrap, over REST: declared, shown without its keys, taken back; and how it went."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import psycopg
import pytest
from nats.js import JetStreamContext
from pydantic import SecretStr

from flownexus_runtime.sealing import BOOTSTRAP, Sealer
from flownexus_schemas.bootstrap.configuration import BootstrapConfiguration, account_binding
from flownexus_schemas.subjects import Bucket, endpoint_key
from harness.certificates import Ca
from integration.api.conftest import log_in
from integration.api.rows import Rows
from integration.gateway.credential_bucket import CREDENTIALS_KEY

if TYPE_CHECKING:
    from conftest import ServiceFactory

NODE = "urn:imei:123456789012345"
HERE = f"/api/v1/bootstrap/endpoints/{NODE}"
PROFILES = "/api/v1/bootstrap/profiles"
STEPS = "/api/v1/bootstrap/steps"
KEY = "000102030405060708090a0b0c0d0e0f"
OPEN = {"uri": "coap://192.0.2.1:5683", "security": "none"}
ISSUED = {"uri": "coaps://192.0.2.1:5684", "security": "psk"}
GIVEN = {**ISSUED, "identity": "node"}
T = datetime(2026, 3, 2, 9, 39, 40, tzinfo=UTC)


@pytest.fixture
async def administrator(
    js: JetStreamContext, service: ServiceFactory, database_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running API, which can seal keys."""
    api = service("flownexus_api", FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY)
    async with httpx.AsyncClient(base_url=api.health_url, timeout=20, trust_env=False) as client:
        await log_in(client, database_url, "administrator")
        yield client


async def kept(js: JetStreamContext) -> BootstrapConfiguration:
    entry = await (await js.key_value(Bucket.BOOTSTRAP_CONFIGURATIONS)).get(endpoint_key(NODE))
    return BootstrapConfiguration.model_validate_json(entry.value or b"")


def opened(configuration: BootstrapConfiguration) -> bytes:
    """The key of its first server, as a gateway reads it."""
    server = configuration.servers[0]
    assert server.sealed_key is not None
    sealer = Sealer(SecretStr(CREDENTIALS_KEY), BOOTSTRAP)
    return sealer.open(server.sealed_key, account_binding(NODE, server.short_server_id, server.uri))


async def test_a_key_is_kept_sealed_and_never_shown_again(
    administrator: httpx.AsyncClient, js: JetStreamContext, database_url: str
) -> None:
    made = await administrator.put(HERE, json={"servers": [{**GIVEN, "key": KEY}]})
    assert made.status_code == 200, made.text
    assert made.json()["configuration"]["servers"][0]["key"] == "given"
    shown = await administrator.get(HERE)
    assert shown.json() == made.json()
    listed = await administrator.get("/api/v1/bootstrap/endpoints")
    assert listed.json() == {"items": [shown.json()], "next": None}
    assert opened(await kept(js)) == bytes.fromhex(KEY)
    # Changed without the key, the key stays; with another identity it does not.
    later = await administrator.put(HERE, json={"servers": [{**GIVEN, "lifetime_s": 60}]})
    assert later.status_code == 200, later.text
    assert (opened(await kept(js)), (await kept(js)).servers[0].lifetime_s) == (bytes.fromhex(KEY), 60)
    other = await administrator.put(HERE, json={"servers": [{**GIVEN, "identity": "other"}]})
    assert (other.status_code, "belong together" in other.json()["detail"]) == (422, True)
    with psycopg.connect(database_url) as connection:
        audit = connection.execute("select action, target, details::text from audit_entry order by id").fetchall()
    assert ("bootstrap.changed", NODE, '{"servers": ["coaps://192.0.2.1:5684"]}') in audit
    everything = [made.text, shown.text, listed.text, str(audit)]
    assert not any(KEY in text or "sealed" in text for text in everything)


async def test_a_certificate_is_kept_as_devices_take_it(
    administrator: httpx.AsyncClient, js: JetStreamContext, tmp_path: Path
) -> None:
    ca = Ca(tmp_path)
    own, other = ca.issue("node"), ca.issue("other")
    pem = own.pem.read_text()
    account = {**ISSUED, "security": "x509", "certificate": pem, "private_key": own.key_pem.read_text()}
    made = await administrator.put(HERE, json={"servers": [account]})
    assert made.status_code == 200, made.text
    assert made.json()["configuration"]["servers"][0]["certificate"] == pem
    assert opened(await kept(js))[:1] == b"\x30", "DER"
    wrong = await administrator.put(HERE, json={"servers": [{**account, "private_key": other.key_pem.read_text()}]})
    assert (wrong.status_code, wrong.json()["detail"]) == (
        422, "servers.private_key: it is that of another certificate.",
    )  # fmt: skip


IMPOSSIBLE: tuple[tuple[dict[str, Any], str], ...] = (
    ({"servers": []}, "servers"),
    ({"servers": [{**GIVEN, "key": "0001"}]}, "16 to 64 bytes"),
    ({"servers": [{**GIVEN, "key": "no hex"}]}, "hexadecimal"),
    ({"servers": [{**OPEN, "uri": "coaps://h"}]}, "does not go with coaps"),
    ({"servers": [OPEN, OPEN]}, "the same short_server_id"),
    ({"servers": [OPEN], "values": [{"path": "3303/0/5700", "value": "warm"}]}, "a number"),
    ({"servers": [OPEN], "values": [{"path": "0/0/5", "value": "AAAA"}]}, "say it in servers"),
    ({"servers": [OPEN], "values": [{"path": "99999/0/5", "value": 1}]}, "an id is 0 to 65535"),
    ({"servers": [OPEN], "delete": ["99999"]}, "an id is 0 to 65535"),
    ({"servers": [OPEN], "delete": ["0/0"]}, "may be the account of the bootstrap server"),
    ({"servers": [OPEN], "sealed_key": "x"}, "Extra inputs"),
)


async def test_what_no_device_could_be_given_is_refused(administrator: httpx.AsyncClient) -> None:
    for given, reason in IMPOSSIBLE:
        answer = await administrator.put(HERE, json=given)
        assert (answer.status_code, reason in answer.json()["detail"]) == (422, True), answer.text
    assert (await administrator.get(HERE)).json()["configuration"] is None


async def test_a_profile_says_what_endpoints_are_given_unless_they_have_their_own(
    administrator: httpx.AsyncClient,
) -> None:
    profile = {"servers": [ISSUED], "endpoints": ["urn:imei:*"]}
    made = await administrator.put(f"{PROFILES}/fleet", json=profile)
    assert (made.status_code, made.json()["configuration"]["servers"][0]["key"]) == (200, "issued")
    found = (await administrator.get(HERE)).json()
    assert (found["profile"], found["revision"], found["configuration"]) == (
        "fleet", None, made.json()["configuration"],
    )  # fmt: skip
    refused = await administrator.put(f"{PROFILES}/fleet", json={**profile, "servers": [{**GIVEN, "key": KEY}]})
    assert (refused.status_code, "of all its devices" in refused.json()["detail"]) == (422, True)
    own = await administrator.put(HERE, json={"servers": [OPEN]})
    assert (await administrator.get(HERE)).json() == own.json()
    assert (await administrator.delete(HERE)).json()["profile"] == "fleet"
    assert (await administrator.get(PROFILES)).json() == {"items": [made.json()], "next": None}
    assert (await administrator.delete(f"{PROFILES}/fleet")).json() == made.json()
    assert (await administrator.get(f"{PROFILES}/fleet")).status_code == 404
    assert (await administrator.delete(HERE)).status_code == 404


async def test_a_trigger_is_an_operation_on_the_server_object_that_the_device_lists(
    administrator: httpx.AsyncClient, rows: Rows
) -> None:
    assert (await administrator.post(f"{HERE}/trigger")).status_code == 404
    rows.endpoint(NODE, object_links=["1/1", "3/0"])
    answer = await administrator.post(f"{HERE}/trigger")
    assert answer.status_code == 202, answer.text
    assert (answer.json()["operation"], answer.json()["request"]["path"]) == ("execute", "1/1/9")


async def test_steps_are_listed_the_newest_first(administrator: httpx.AsyncClient, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        for number, (endpoint, state) in enumerate([(NODE, "started"), (NODE, "failed"), ("other", "started")]):
            connection.execute(
                "insert into bootstrap_step values (%s, %s, %s, 's', %s, 'it said no', %s, '4.00', null, '[]', null, "
                "'192.0.2.17', 49152, 'gw-1')",
                (T + timedelta(seconds=number), number + 1, endpoint, state, '["a note"]'),
            )
    first = (await administrator.get(STEPS, params={"limit": 2})).json()
    assert [(one["id"], one["endpoint"], one["state"]) for one in first["items"]] == [
        ("3", "other", "started"), ("2", NODE, "failed"),
    ]  # fmt: skip
    rest = (await administrator.get(STEPS, params={"limit": 2, "cursor": first["next"]})).json()
    assert ([one["id"] for one in rest["items"]], rest["next"]) == (["1"], None)
    failed = (await administrator.get(STEPS, params={"endpoint": NODE, "state": "failed"})).json()["items"]
    assert [(one["text"], one["notes"], one["code"], one["address"]) for one in failed] == [
        ("it said no", ["a note"], "4.00", "192.0.2.17:49152"),
    ]
