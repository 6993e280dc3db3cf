"""Asking a gateway on the bus for a request to a device."""

from __future__ import annotations

from nats.aio.client import Client

from flownexus_schemas import subjects
from flownexus_schemas.commands import Command, CommandAnswer, answer_adapter


async def ask(client: Client, command: Command, gateway_id: str = "gw-1") -> CommandAnswer:
    """The device's answer. AssertionError with the gateway's reason where there is none."""
    subject, payload = subjects.gateway_request(gateway_id), command.model_dump_json().encode()
    reply = await client.request(subject, payload, timeout=30)
    answer = answer_adapter.validate_json(reply.data)
    assert isinstance(answer, CommandAnswer), answer
    return answer
