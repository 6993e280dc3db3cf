"""A command on the bus and the device that serves it, each at its own pace."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from nats.aio.client import Client

from flownexus_schemas import subjects
from flownexus_schemas.commands import Command, CommandAnswer, CommandFailure, answer_adapter


async def commanded(
    client: Client, command: Command, serve: Callable[[], object] = lambda: None, timeout_s: float = 15
) -> CommandAnswer | CommandFailure:
    """Send a command while `serve` plays the device."""
    payload = command.model_dump_json().encode()
    request = asyncio.create_task(client.request(subjects.gateway_request("gw-1"), payload, timeout=timeout_s))
    await asyncio.to_thread(serve)
    return answer_adapter.validate_json((await request).data)


async def answered(
    client: Client, command: Command, serve: Callable[[], object], timeout_s: float = 15
) -> CommandAnswer:
    """The device's answer. AssertionError with the gateway's reason where there is none."""
    answer = await commanded(client, command, serve, timeout_s)
    assert isinstance(answer, CommandAnswer), answer
    return answer
