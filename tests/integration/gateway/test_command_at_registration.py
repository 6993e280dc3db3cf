"""A command of somebody who saw a registration in KV goes to the device as it is after that registration."""

from __future__ import annotations

import asyncio

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandAnswer, ReadResource, answer_adapter
from harness.lockstep import GET, TEXT, LockstepDevice
from integration.gateway.gateway_events import NewDevice

LINKS = '</>;rt="oma.lwm2m";ct=110,</1/0>,</3/0>'
TIMES = 15
STORED = "$KV.lwm2m_registrations.device-1"


async def test_a_command_as_soon_as_a_registration_is_stored_goes_to_where_the_device_is_now(
    js: JetStreamContext, device: NewDevice
) -> None:
    client: Client = js._nc
    command = ReadResource(endpoint="device-1", path="3/0/0", timeout_s=1).model_dump_json().encode()
    asked: asyncio.Queue[asyncio.Task[Msg]] = asyncio.Queue()

    async def ask(_: Msg) -> None:
        asked.put_nowait(asyncio.create_task(client.request(subjects.gateway_request("gw-1"), command, timeout=10)))

    one: LockstepDevice = device()
    one.register(LINKS)
    await client.subscribe(STORED, cb=ask)
    await client.flush()
    for _ in range(TIMES):
        await asyncio.to_thread(register_elsewhere, one)
        answer = answer_adapter.validate_json((await (await asked.get())).data)
        assert isinstance(answer, CommandAnswer), answer


def register_elsewhere(one: LockstepDevice) -> None:
    """As after a reboot behind a NAT; then the device answers what it is asked."""
    one.move()
    one.register(LINKS)
    request = one.expect_request(GET, "3/0/0")
    one.answer(request, payload=b"maker", content_format=TEXT)
