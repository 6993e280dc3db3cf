"""Firmware images: uploaded, listed, linked to, fetched in any part, removed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import random
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from flownexus_runtime.firmware_links import load_links
from flownexus_schemas import subjects
from flownexus_schemas.firmware.progress import FirmwareProgress
from harness.rows import rows
from harness.waiting import until
from integration.api.conftest import log_in

if TYPE_CHECKING:
    from conftest import ServiceFactory

FIRMWARE = "/api/v1/firmware"
IMAGE = random.Random(7).randbytes(1_300_001)  # more than stays in memory, in chunks and a part of one
LIMIT = 2_000_000
QUERY = {"name": "thermometer", "version": "1.4.0", "file_name": "thermometer 1.4.bin"}


class Store:
    """An API whose images are bounded, and an operator."""

    def __init__(self, client: httpx.AsyncClient, js: JetStreamContext, database_url: str) -> None:
        self.client, self.js, self.database_url = client, js, database_url

    async def upload(self, content: bytes = IMAGE, **changes: str) -> httpx.Response:
        return await self.client.post(FIRMWARE, params=QUERY | changes, content=content)

    async def uploaded(self, content: bytes = IMAGE, **changes: str) -> dict[str, Any]:
        answer = await self.upload(content, **changes)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def link(self, firmware: str, lifetime_s: int = 60) -> str:
        answer = await self.client.post(f"{FIRMWARE}/{firmware}/link", params={"lifetime_s": lifetime_s})
        assert answer.status_code == 200, answer.text
        return str(answer.json()["path"])

    async def kept(self) -> tuple[int, int]:
        """Rows, and messages of the object store: chunks and what describes them."""
        state = (await self.js.stream_info(f"OBJ_{subjects.FIRMWARE}")).state
        return rows(self.database_url, "select count(*) from firmware")[0][0], state.messages


@pytest.fixture
async def store(js: JetStreamContext, service: ServiceFactory, database_url: str) -> AsyncIterator[Store]:
    url = service("flownexus_api", FLOWNEXUS_MAX_FIRMWARE_BYTES=LIMIT).health_url
    async with httpx.AsyncClient(base_url=url, timeout=30, trust_env=False) as client:
        await log_in(client, database_url, "operator")
        yield Store(client, js, database_url)


async def test_an_image_is_kept_as_it_is_listed_and_removed(store: Store) -> None:
    digest = hashlib.sha256(IMAGE).hexdigest()
    made = await store.uploaded(sha256=digest.upper(), notes="for the greenhouse")
    assert made.pop("created_at") == made.pop("updated_at")
    expected = QUERY | {"size": len(IMAGE), "sha256": digest, "notes": "for the greenhouse", "uploaded_by": "operator"}
    assert {name: part for name, part in made.items() if name != "id"} == expected
    other = await store.uploaded(b"other", version="1.5.0")
    another = await store.uploaded(b"another", name="gate")

    listed = (await store.client.get(FIRMWARE)).json()["items"]
    assert [item["id"] for item in listed] == [another["id"], other["id"], made["id"]]
    named = (await store.client.get(FIRMWARE, params={"name": "thermometer", "limit": 1})).json()
    assert [item["id"] for item in named["items"]] == [other["id"]]
    rest = {"name": "thermometer", "limit": 1, "cursor": named["next"]}
    assert [item["id"] for item in (await store.client.get(FIRMWARE, params=rest)).json()["items"]] == [made["id"]]
    assert (await store.client.get(f"{FIRMWARE}/{made['id']}")).json()["sha256"] == digest

    link = await store.link(made["id"])
    assert (await store.client.delete(f"{FIRMWARE}/{made['id']}")).json()["id"] == made["id"]
    for gone in (f"{FIRMWARE}/{made['id']}", link):
        missing = await store.client.get(gone)
        assert (missing.status_code, missing.json()["detail"]) == (404, f"There is no firmware '{made['id']}'.")
    assert (await store.client.delete(f"{FIRMWARE}/{made['id']}")).status_code == 404
    await store.client.delete(f"{FIRMWARE}/{other['id']}")
    await store.client.delete(f"{FIRMWARE}/{another['id']}")
    # What says that an object was deleted stays in the store: one message each.
    assert await store.kept() == (0, 3)
    audited = rows(store.database_url, "select action from audit_entry where action like 'firmware.%' order by id")
    assert audited == [("firmware.uploaded",)] * 3 + [("firmware.deleted",)] * 4


async def test_what_is_wrong_is_refused_and_nothing_of_it_is_kept(store: Store) -> None:
    for status, says, content, changes in (
        (422, "the image has", IMAGE, {"sha256": "0" * 64}),
        (422, "query.sha256", IMAGE, {"sha256": "abc"}),
        (422, "it is empty", b"", {}),
        (422, "query.version", IMAGE, {"version": ""}),
        (413, f"at most {LIMIT} bytes", bytes(LIMIT + 1), {}),
    ):
        refused = await store.upload(content, **changes)
        assert (refused.status_code, says in refused.json()["detail"]) == (status, True), refused.text
    assert await store.kept() == (0, 0)

    await store.uploaded(b"first")
    kept = await store.kept()
    again = await store.upload(b"second")
    assert again.status_code == 409
    assert "'thermometer' of version '1.4.0' already" in again.json()["detail"]
    both = await asyncio.gather(*(store.upload(b"x", version="2") for _ in range(2)))
    assert sorted(answer.status_code for answer in both) == [201, 409]
    chunk_and_description = 2
    # The one that came second is gone again, but for what says so.
    assert (await store.kept())[1] - kept[1] in {chunk_and_description, chunk_and_description + 1}
    await log_in(store.client, store.database_url, "viewer")
    assert (await store.upload(version="3")).status_code == 403
    assert (await store.client.get(FIRMWARE)).status_code == 200


async def test_an_upload_that_breaks_off_leaves_nothing(store: Store) -> None:
    where = urlsplit(str(store.client.base_url))
    token = store.client.headers["Authorization"]
    head = (
        f"POST {FIRMWARE}?name=a&version=1&file_name=b HTTP/1.1\r\nHost: api\r\nAuthorization: {token}\r\n"
        f"Content-Length: {len(IMAGE)}\r\n\r\n"
    )
    with socket.create_connection((where.hostname or "", where.port or 0), timeout=5) as connection:
        connection.sendall(head.encode() + IMAGE[:300_000])
    await store.uploaded()

    async def only_one() -> bool:
        return (await store.kept())[0] == 1

    assert (await store.client.get(FIRMWARE)).json()["items"][0]["name"] == "thermometer"
    is_alone: bool = await until(only_one, what="one image")
    assert is_alone


async def test_a_link_gives_the_image_in_any_part_without_a_login(store: Store) -> None:
    made = await store.uploaded()
    link = await store.link(made["id"])
    assert len(link) < 64
    del store.client.headers["Authorization"]
    whole = await store.client.get(link)
    assert (whole.status_code, whole.content == IMAGE) == (200, True)
    tag = whole.headers["etag"]
    size = len(IMAGE)
    for wanted, part in {
        "bytes=0-0": IMAGE[:1],
        "bytes=131071-131072": IMAGE[131071:131073],
        f"bytes=699999-{size * 2}": IMAGE[699_999:],
        "bytes=500000-": IMAGE[500_000:],
        "bytes=-5": IMAGE[-5:],
    }.items():
        answer = await store.client.get(link, headers={"Range": wanted})
        assert (answer.status_code, answer.content == part) == (206, True), wanted
        start = size - len(part) if wanted.startswith("bytes=-") else int(wanted[6:].split("-")[0])
        assert answer.headers["content-range"] == f"bytes {start}-{start + len(part) - 1}/{size}"
    for wanted in (f"bytes={size}-", "bytes=9-3", "bytes=-0"):
        refused = await store.client.get(link, headers={"Range": wanted})
        assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}")
    # What is no range of ours, or of another image, is the whole.
    for headers in ({"Range": "bytes=0-1,4-5"}, {"Range": "lines=1-2"}, {"Range": "bytes=0-1", "If-Range": '"other"'}):
        assert (await store.client.get(link, headers=headers)).status_code == 200
    fresh = await store.client.get(link, headers={"Range": "bytes=0-1", "If-Range": tag})
    assert (fresh.status_code, fresh.content) == (206, IMAGE[:2])
    head = await store.client.head(link)
    assert (head.headers["content-length"], head.headers["accept-ranges"], head.content) == (str(size), "bytes", b"")


async def test_how_far_a_download_for_an_update_is_is_told(store: Store) -> None:
    made = await store.uploaded()
    told: list[FirmwareProgress] = []

    async def take(message: Msg) -> None:
        told.append(FirmwareProgress.model_validate_json(message.data))

    await store.js._nc.subscribe(subjects.firmware_progress("u-1"), cb=take)
    await store.js._nc.flush()
    link = "/" + (await load_links(store.js)).path(made["id"], int(time.time()) + 60, "u-1")
    del store.client.headers["Authorization"]
    part = await store.client.get(link, headers={"Range": "bytes=0-999"})
    assert part.content == IMAGE[:1000]
    await until(lambda: told, what="the first part")
    assert (await store.client.get(link, headers={"Range": "bytes=1000-"})).content == IMAGE[1000:]
    await until(lambda: told[-1].bytes_served_upto == len(IMAGE), what="the last part")
    assert told[0] == FirmwareProgress(update_id="u-1", bytes_served_upto=1000, size=len(IMAGE), via="http")
    for forged in (link.removesuffix("/u-1"), link + "2"):
        assert (await store.client.get(forged)).status_code == 403


async def test_a_link_is_good_for_its_image_and_its_time_alone(store: Store) -> None:
    first, second = (await store.uploaded(), await store.uploaded(b"x", version="2"))
    link = await store.link(first["id"], lifetime_s=1)
    _, _, signed, image = link.split("/")
    until_when, _, signature = signed.partition(".")
    later = f"{int(until_when, 16) + 999:x}"
    for forged in (
        f"/fw/{signed}/{second['id']}",
        f"/fw/{later}.{signature}/{image}",
        f"/fw/{until_when}.{signature[::-1]}/{image}",
        f"/fw/{signature}/{image}",
    ):
        refused = await store.client.get(forged)
        assert (refused.status_code, "made here" in refused.json()["detail"]) == (403, True), forged
    await until(lambda: time.time() >= int(until_when, 16), what="the end of the link")
    over = await store.client.get(link)
    assert (over.status_code, "ask for another" in over.json()["detail"]) == (410, True)


async def test_an_image_is_taken_only_where_our_key_signed_it(
    js: JetStreamContext, service: ServiceFactory, database_url: str, tmp_path: Path
) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    key = tmp_path / "firmware.pem"
    key.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    api = service("flownexus_api", FLOWNEXUS_FIRMWARE_PUBLIC_KEY=str(key), FLOWNEXUS_FIRMWARE_SIGNED_ONLY="true")
    signature = base64.b64encode(private.sign(IMAGE, ec.ECDSA(hashes.SHA256()))).decode()
    async with httpx.AsyncClient(base_url=api.health_url, timeout=30, trust_env=False) as client:
        await log_in(client, database_url, "operator")
        store = Store(client, js, database_url)
        unsigned = await store.upload()
        assert (unsigned.status_code, "images must be signed here" in unsigned.json()["detail"]) == (422, True)
        for wrong, why in (("bm8=", "it is not that of this image"), ("?", "it is not base64")):
            refused = await store.upload(signature=wrong)
            assert (refused.status_code, why in refused.json()["detail"]) == (422, True), refused.text
        assert await store.kept() == (0, 0)
        assert (await store.upload(IMAGE + b"x", signature=signature)).status_code == 422
        assert (await store.uploaded(signature=signature))["sha256"] == hashlib.sha256(IMAGE).hexdigest()
