"""What is made and taken back over REST, in force at a gateway: with real handshakes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from nats.js import JetStreamContext

from harness.dtls_client import Alerted
from harness.lockstep import CHANGED, CREATED
from harness.secure_device import SecureDevice
from harness.services import ServiceProcess
from harness.waiting import blocking_until, until
from integration.api.conftest import log_in
from integration.gateway.credential_bucket import CREDENTIALS_KEY

if TYPE_CHECKING:
    from conftest import ServiceFactory

NewDevice = Callable[..., SecureDevice]
PATH = "/api/v1/credentials"
LINKS = "</3/0>,</3303/0>"
ACCESS_DENIED, UNKNOWN_PSK_IDENTITY, DECRYPT_ERROR = 49, 115, 51


@pytest.fixture
async def administrator(
    secure_gateway: ServiceProcess, service: ServiceFactory, js: JetStreamContext, database_url: str
) -> AsyncIterator[httpx.AsyncClient]:
    api = service("flownexus_api", FLOWNEXUS_CREDENTIALS_KEY=CREDENTIALS_KEY)
    async with httpx.AsyncClient(base_url=api.health_url, timeout=20, trust_env=False) as client:
        await log_in(client, database_url, "administrator")
        yield client


async def made(client: httpx.AsyncClient, path: str = "", **fields: Any) -> dict[str, Any]:
    answer = await client.post(f"{PATH}{path}", json=fields)
    assert answer.is_success, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def connected(device: SecureDevice) -> SecureDevice:
    """Once the gateway has heard of its credential."""

    await asyncio.to_thread(blocking_until, lambda: connects(device), 10, "the credential at the gateway")
    return device


def connects(device: SecureDevice) -> bool | None:
    """Whether it gets in; None where its identity is not known."""
    try:
        device.reconnect()
    except Alerted as told:
        if told.description != UNKNOWN_PSK_IDENTITY:
            raise
        return None
    return True


async def cut_off(device: SecureDevice) -> int:
    """The alert that a live session ends by."""
    with pytest.raises(Alerted) as told:
        await asyncio.to_thread(device.receive, 10)
    return told.value.description


async def test_a_device_registers_by_a_key_of_the_api_until_that_is_revoked(
    administrator: httpx.AsyncClient, secure_gateway: ServiceProcess, secure_device: NewDevice
) -> None:
    credential = await made(administrator, endpoint="device-1", type="psk", identity="i-1")
    device = secure_device("device-1", identity="i-1", key=bytes.fromhex(credential["key"]))
    await connected(device)
    assert device.register(LINKS).code == CREATED
    await made(administrator, f"/{credential['id']}/revoke")
    assert await cut_off(device) == ACCESS_DENIED
    with pytest.raises(Alerted) as told:
        await asyncio.to_thread(device.reconnect)
    assert told.value.description == UNKNOWN_PSK_IDENTITY
    await until(lambda: secure_gateway.log_text().count('"reason":"revoked"') >= 2, what="the reason in the log")


@pytest.mark.parametrize("identity", ["i-1", "i-2"], ids=["same identity", "another identity"])
async def test_a_former_key_counts_until_its_device_used_the_next(
    administrator: httpx.AsyncClient, secure_gateway: ServiceProcess, secure_device: NewDevice, identity: str
) -> None:
    former = await made(administrator, endpoint="device-1", type="psk", identity="i-1")
    device = secure_device("device-1", identity="i-1", key=bytes.fromhex(former["key"]))
    await connected(device)
    assert device.register(LINKS).code == CREATED
    following = (await made(administrator, f"/{former['id']}/rotate", identity=identity))["made"]
    assert device.update().code == CHANGED
    updated = secure_device("device-1", identity=identity, key=bytes.fromhex(following["key"]))
    await asyncio.to_thread(in_after_one_more, updated)
    assert updated.register(LINKS).code == CREATED
    assert await cut_off(device) == ACCESS_DENIED
    for _ in range(2):
        with pytest.raises(Alerted) as told:
            await asyncio.to_thread(device.reconnect)
        assert told.value.description == (DECRYPT_ERROR if identity == "i-1" else UNKNOWN_PSK_IDENTITY)
    shown = (await administrator.get(f"{PATH}/{former['id']}")).json()
    assert (shown["state"], shown["until_used"]) == ("expired", following["id"])
    assert updated.update().code == CHANGED


def in_after_one_more(device: SecureDevice) -> None:
    """Of two keys with one identity the gateway tries one a handshake."""
    try:
        device.connect()
    except Alerted:
        device.reconnect()


async def test_the_end_of_an_overlap_is_in_force_at_its_time(
    administrator: httpx.AsyncClient, secure_gateway: ServiceProcess, secure_device: NewDevice
) -> None:
    former = await made(administrator, endpoint="device-1", type="psk")
    device = secure_device("device-1", key=bytes.fromhex(former["key"]))
    await connected(device)
    assert device.register(LINKS).code == CREATED
    end = (datetime.now(UTC) + timedelta(seconds=1)).isoformat()
    await made(administrator, f"/{former['id']}/rotate", identity="i-2", until=end)
    assert await cut_off(device) == ACCESS_DENIED
    with pytest.raises(Alerted) as told:
        await asyncio.to_thread(device.reconnect)
    assert told.value.description == UNKNOWN_PSK_IDENTITY
    assert '"reason":"expired"' in secure_gateway.log_text()
