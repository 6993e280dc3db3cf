"""What could not be decoded, and what could not be processed: read and retried over REST."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from nats.js import JetStreamContext

from flownexus_api import accounts
from flownexus_schemas.subjects import Stream
from harness.event_messages import event_message, publish, reported
from harness.lockstep import (
    BLOCK1,
    CHANGED,
    CON,
    CONTENT_FORMAT,
    POST,
    SENML_CBOR,
    SENML_JSON,
    TLV,
    URI_PATH,
    LockstepDevice,
    datagram,
    uint,
)
from harness.rows import projected, rows
from harness.waiting import until
from integration.api.conftest import PASSWORD

if TYPE_CHECKING:
    from conftest import ServiceFactory

UNDECODED, LETTERS = "/api/v1/undecoded", "/api/v1/dead-letters"
NAME = "node-1"
TLV_21_5 = b"\x68\x00\x07\xe4\x16\x44\x41\xac\x00\x00"  # object instance 0: 3303/0/5700 = 21.5, if the object is 3303
CONTINUE, MORE, SIZE_1024 = 0x5F, 8, 6  # RFC 7959


class System:
    """A device, the API, and who asks it."""

    def __init__(self, client: httpx.AsyncClient, device: LockstepDevice, database_url: str) -> None:
        self.client, self.device, self.database_url = client, device, database_url

    async def log_in(self, role: str) -> None:
        accounts.add_user(self.database_url, role, role, PASSWORD)
        answer = await self.client.post("/api/v1/auth/token", data={"username": role, "password": PASSWORD})
        self.client.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    async def send(self, payload: bytes, content_format: int) -> None:
        """The device sends a payload, and it is acknowledged."""
        options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(content_format))]
        data = datagram(CON, POST, next(self.device.message_ids), b"s", options, payload)
        await asyncio.to_thread(self.device.exchange, data)

    async def send_in_blocks(self, payload: bytes, content_format: int) -> None:
        """The same with Block1."""
        for number in range(0, len(payload), 1024):
            more = MORE if number + 1024 < len(payload) else 0
            block = uint(number // 1024 << 4 | more | SIZE_1024)
            options = [(URI_PATH, b"dp"), (CONTENT_FORMAT, uint(content_format)), (BLOCK1, block)]
            data = datagram(CON, POST, next(self.device.message_ids), b"s", options, payload[number : number + 1024])
            heard = await asyncio.to_thread(self.device.exchange, data)
            assert heard.code == (CONTINUE if more else CHANGED)

    async def items(self, path: str = UNDECODED, **query: str) -> list[dict[str, Any]]:
        answer = await self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        found: list[dict[str, Any]] = answer.json()["items"]
        return found

    async def listed(self, count: int, path: str = UNDECODED, **query: str) -> list[dict[str, Any]]:
        async def enough() -> list[dict[str, Any]] | None:
            found = await self.items(path, **query)
            return found if len(found) == count else None

        found: list[dict[str, Any]] = await until(enough, 20, f"{count} at {path}")
        return found

    def values(self) -> list[tuple[Any, ...]]:
        return rows(
            self.database_url,
            "select t.object_id, t.resource_id, r.value_float, r.received_at from resource r "
            "join resource_type t on t.id = r.resource_type_id where t.object_id = 3303 order by r.time",
        )


@pytest.fixture
async def system(js: JetStreamContext, service: ServiceFactory, database_url: str) -> Any:
    gateway, api = service("flownexus_gateway"), service("flownexus_api")
    service("flownexus_ingest")
    with LockstepDevice(int(gateway.env["FLOWNEXUS_COAP_PORT"]), NAME) as device:
        device.register('</>;rt="oma.lwm2m",</1/0>')
        async with httpx.AsyncClient(base_url=api.health_url, timeout=30, trust_env=False) as client:
            system = System(client, device, database_url)
            await system.log_in("operator")
            yield system


async def test_a_report_in_a_wrongly_stated_format_becomes_values_once_when_it_is_retried(
    system: System, js: JetStreamContext
) -> None:
    await system.send(b'[{"n":"/3303/0/5700","v":21.5}]', TLV)
    (listed,) = await system.listed(1, endpoint=NAME, state="waiting")
    assert (listed["endpoint"], listed["content_format"], listed["size"]) == (NAME, TLV, 31)
    assert listed["reason"]
    assert listed["start"] == b'[{"n":"/3303/0/5700","v":21.5}]'[:32].hex()
    assert await system.items(**{"from": listed["received_at"], "endpoint": NAME}) == [listed]
    assert await system.items(to=listed["received_at"]) == []
    assert await system.items(endpoint="another") == []
    one = f"{UNDECODED}/{listed['id']}"
    kept = (await system.client.get(one)).json()
    assert base64.b64decode(kept["payload"]) == b'[{"n":"/3303/0/5700","v":21.5}]'

    for by in ({}, {"content_format": 40}, {"content_format": SENML_JSON, "base_path": "x"}):
        refused = await system.client.post(f"{one}/retry", json=by)
        assert refused.status_code == 422, refused.text
    assert "still cannot be decoded" in (await system.client.post(f"{one}/retry", json={})).json()["detail"]
    assert len(await system.items(state="waiting")) == 1

    for _ in range(2):
        answer = await system.client.post(f"{one}/retry", json={"content_format": SENML_JSON})
        assert answer.status_code in {200, 409}, answer.text
    (decoded,) = await system.listed(1, state="decoded")
    assert decoded["decoded_at"] is not None
    assert await system.items(state="waiting") == []
    last = await js.get_last_msg(Stream.EVENTS, f"lwm2m.event.{NAME}.reported")
    assert (last.headers or {})["Flownexus-Late"]
    (value,) = system.values()
    assert value[:3] == (3303, 5700, 21.5)
    assert value[3].isoformat().replace("+00:00", "Z")[:26] == listed["received_at"][:26].removesuffix("Z")
    again = await system.client.post(f"{one}/retry", json={"content_format": SENML_JSON})
    assert again.status_code == 409
    audited = rows(
        system.database_url, "select distinct actor, target from audit_entry where action = 'undecoded.retried'"
    )
    assert audited == [("operator", listed["id"])]


async def test_the_path_that_was_asked_for_can_be_named_and_all_that_wait_be_tried(system: System) -> None:
    await system.send(b"\xe4\x16\x44\x41\xac\x00\x00", TLV)  # resource 5700 of an instance that a Send cannot name
    await system.send(b"\xc8\x00", TLV)
    truncated, resource = await system.listed(2)

    everything = (await system.client.post(f"{UNDECODED}/retry", params={"endpoint": NAME})).json()
    assert everything == {"decoded": 0, "left": 2, "next": None}
    answer = await system.client.post(f"{UNDECODED}/{resource['id']}/retry", json={"base_path": "3303/0"})
    assert answer.json()["values"][0]["path"] == "3303/0/5700"
    await system.listed(1, state="decoded")
    assert [item["id"] for item in await system.items(state="waiting")] == [truncated["id"]]
    first = await system.client.get(UNDECODED, params={"limit": 1})
    second = await system.client.get(UNDECODED, params={"limit": 1, "cursor": first.json()["next"]})
    assert [page.json()["items"][0]["id"] for page in (first, second)] == [truncated["id"], resource["id"]]
    assert second.json()["next"] is None


COUNT = 10_000
MANY = (  # SenML CBOR: a base name, and values with times before the receipt
    b"\x99" + COUNT.to_bytes(2, "big") + b"\xa2\x21\x6c/3303/0/5700\x02\x00"
    + b"".join(b"\xa2\x02\x19" + n.to_bytes(2, "big") + b"\x06\x39" + n.to_bytes(2, "big") for n in range(1, COUNT))
)  # fmt: skip


async def test_a_report_of_more_values_than_a_message_holds_is_stored_whole(system: System) -> None:
    await system.send_in_blocks(MANY, SENML_CBOR)

    def all_of_them() -> bool:
        return sorted(value for _, _, value, _ in system.values()) == list(range(COUNT))

    await until(all_of_them, 20, "every value")
    assert await system.items() == []


async def test_a_retry_of_more_values_than_a_message_holds_is_stored_whole(
    system: System, js: JetStreamContext
) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    pack = base64.b64encode(MANY).decode()
    await publish(js, reported(NAME, at, payload=pack, undecoded="?", content_format=SENML_CBOR))
    (listed,) = await system.listed(1)
    answer = await system.client.post(f"{UNDECODED}/{listed['id']}/retry", json={})
    assert len(answer.json()["values"]) == COUNT
    await system.listed(1, state="decoded")
    stored = system.values()
    assert sorted(value for _, _, value, _ in stored) == list(range(COUNT))
    assert {received_at for *_, received_at in stored} == {at}


async def test_those_behind_a_thousand_that_never_decode_are_retried_too(system: System, js: JetStreamContext) -> None:
    at = datetime(2026, 3, 1, 12, tzinfo=UTC)
    truncated = [
        reported(NAME, at + timedelta(seconds=number), payload="wgA=", undecoded="?", content_format=TLV)
        for number in range(1003)
    ]
    pack = base64.b64encode(b'[{"n":"/3303/0/5700","v":21.5}]').decode()
    good = reported(NAME, at + timedelta(days=1), payload=pack, undecoded="?", content_format=SENML_JSON)
    await projected(system.database_url, await publish(js, *truncated, good))
    first = (await system.client.post(f"{UNDECODED}/retry")).json()
    assert (first["decoded"], first["left"]) == (0, 1000)
    second = (await system.client.post(f"{UNDECODED}/retry", params={"cursor": first["next"]})).json()
    assert second == {"decoded": 1, "left": 3, "next": None}
    await system.listed(1, state="decoded")
    later = {"from": "2026-03-02T00:00:00Z"}
    assert (await system.client.post(f"{UNDECODED}/retry", params=later)).json()["left"] == 0


async def test_a_report_that_was_dismissed_waits_no_more_and_can_be_retried_all_the_same(system: System) -> None:
    await system.send(b'[{"n":"/3303/0/5700","v":21.5}]', TLV)
    (listed,) = await system.listed(1, state="waiting")
    one = f"{UNDECODED}/{listed['id']}"
    for _ in range(2):
        assert (await system.client.delete(one)).json() == {"id": listed["id"]}
    (dismissed,) = await system.listed(1, state="dismissed")
    assert dismissed["dismissed_at"] is not None
    assert await system.items(state="waiting") == []
    assert (await system.client.post(f"{UNDECODED}/retry")).json() == {"decoded": 0, "left": 0, "next": None}
    audited = rows(
        system.database_url, "select actor, target from audit_entry where action = 'undecoded.dismissed' limit 1"
    )
    assert audited == [("operator", listed["id"])]

    assert (await system.client.post(f"{one}/retry", json={"content_format": SENML_JSON})).status_code == 200
    await system.listed(1, state="decoded")
    assert await system.items(state="dismissed") == []
    assert [value for _, _, value, _ in system.values()] == [21.5]
    assert (await system.client.delete(one)).status_code == 409


async def test_a_viewer_reads_the_quarantine_and_retries_nothing(system: System) -> None:
    await system.send(b"\xc8\x00", TLV)
    (listed,) = await system.listed(1)
    await system.log_in("viewer")
    assert len(await system.items()) == 1
    assert await system.items(LETTERS) == []
    for method, path in (
        ("POST", f"{UNDECODED}/{listed['id']}/retry"),
        ("POST", f"{UNDECODED}/retry"),
        ("DELETE", f"{UNDECODED}/{listed['id']}"),
        ("POST", f"{LETTERS}/1/retry"),
        ("DELETE", f"{LETTERS}/1"),
    ):
        answer = await system.client.request(method, path, json={} if path.endswith("retry") else None)
        assert answer.status_code == 403, (path, answer.text)
    assert (await system.client.get(f"{UNDECODED}/1-1")).status_code == 404
    assert (await system.client.get(f"{UNDECODED}/{'9' * 17}-1")).status_code == 404
    assert (await system.client.get(f"{UNDECODED}/x")).status_code == 422


async def test_a_dead_letter_is_read_published_again_and_deleted(system: System, js: JetStreamContext) -> None:
    for number in range(3):
        await js.publish(f"lwm2m.event.other-{number}.reported", b"{}")
    first, second, third = await system.listed(3, LETTERS)
    assert (first["service"], first["subject"], first["stream"]) == (
        "ingest",
        "lwm2m.event.other-0.reported",
        Stream.EVENTS,
    )
    assert base64.b64decode(first["payload"]) == b"{}"
    assert "not an event" in first["reason"]
    page = (await system.client.get(LETTERS, params={"limit": 2})).json()
    rest = (await system.client.get(LETTERS, params={"limit": 2, "cursor": page["next"]})).json()
    assert [letter["id"] for letter in page["items"] + rest["items"]] == [first["id"], second["id"], third["id"]]
    assert rest["next"] is None

    assert (await system.client.delete(f"{LETTERS}/{first['id']}")).status_code == 200
    assert (await system.client.delete(f"{LETTERS}/{first['id']}")).status_code == 404
    # It still is no event, so it comes back as a letter of its own.
    retried = await system.client.post(f"{LETTERS}/{second['id']}/retry")
    assert retried.json() == {"id": second["id"], "subject": second["subject"]}

    async def back() -> bool:
        return [letter["subject"] for letter in await system.items(LETTERS)] == [third["subject"], second["subject"]]

    came: bool = await until(back, 20, "the letter that was published again")
    assert came


async def test_a_dead_letter_that_can_be_processed_now_becomes_rows(system: System, js: JetStreamContext) -> None:
    log = {"level": "info", "text": "up", "time": "2026-03-01T12:00:00+00:00"}
    good = event_message("other", "log", datetime(2026, 3, 1, 12, tzinfo=UTC), log)
    letter = {
        "service": "ingest",
        "reason": "the disk was full",
        "stream": Stream.EVENTS,
        "stream_sequence": 1,
        "subject": good.subject,
        "headers": {"Nats-Msg-Id": good.id},
        "payload": base64.b64encode(good.payload).decode(),
        "time": "2026-03-01T12:00:00Z",
    }
    await js.publish(good.subject, good.payload, headers={"Nats-Msg-Id": good.id})
    await js.publish("lwm2m.dead.ingest", json.dumps(letter).encode())
    (listed,) = await system.listed(1, LETTERS)
    assert (await system.client.post(f"{LETTERS}/{listed['id']}/retry")).status_code == 200

    def lines() -> bool:
        return rows(system.database_url, "select count(*) from log_line") == [(2,)]

    await until(lines, 20, "the line, stored a second time under its new sequence")
    assert await system.items(LETTERS) == []


async def test_a_dead_letter_too_large_to_hold_its_message_is_retried_from_the_stream(
    system: System, js: JetStreamContext
) -> None:
    payload = b"\xff" * 1_000_000
    ack = await js.publish("lwm2m.event.other.reported", payload, headers={"Nats-Msg-Id": "large"})
    (listed,) = await system.listed(1, LETTERS)
    assert (listed["payload"], listed["payload_in_stream"], listed["stream_sequence"]) == ("", True, ack.seq)
    assert (await system.client.post(f"{LETTERS}/{listed['id']}/retry")).status_code == 200

    async def back() -> dict[str, Any] | None:
        letters = await system.items(LETTERS)
        return letters[0] if letters and letters[0]["stream_sequence"] != ack.seq else None

    again: dict[str, Any] = await until(back, 20, "the letter of what was published again")
    published = await js.get_msg(Stream.EVENTS, again["stream_sequence"])
    assert published.data == payload
    assert (published.headers or {})["Flownexus-Late"]

    await js.delete_msg(Stream.EVENTS, again["stream_sequence"])
    gone = await system.client.post(f"{LETTERS}/{again['id']}/retry")
    assert gone.status_code == 409
    assert "no longer in LWM2M_EVENTS" in gone.json()["detail"]
    assert len(await system.items(LETTERS)) == 1


async def test_a_dead_letter_of_an_operation_is_not_published_again(system: System, js: JetStreamContext) -> None:
    subject = "lwm2m.operation.other.op-1"
    ack = await js.publish(subject, b"{}")
    (listed,) = await system.listed(1, LETTERS)
    refused = await system.client.post(f"{LETTERS}/{listed['id']}/retry")
    assert refused.status_code == 409
    assert "is of an operation" in refused.json()["detail"]
    assert (await js.stream_info(Stream.OPERATIONS)).state.last_seq == ack.seq
    assert (await system.client.delete(f"{LETTERS}/{listed['id']}")).status_code == 200
