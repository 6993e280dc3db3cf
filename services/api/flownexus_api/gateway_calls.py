"""Asking a gateway for a request to a device, and what its refusals mean to a caller."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from flownexus_api.bus import Bus
from flownexus_api.errors import NotAnswered
from flownexus_schemas import subjects
from flownexus_schemas.commands import Command, CommandAnswer, CommandFailure, answer_adapter
from flownexus_schemas.errors import Conflict, FlowNexusError, InvalidRequest, Unavailable

QUEUE_S = 60.0
"""Seconds that a request may wait in gateways for those before it to the same device; it is not sent after that."""

REPLY_S = 5.0
"""Seconds that the reply may be on its way."""


async def ask_device(bus: Bus, gateway: str, command: Command) -> CommandAnswer:
    """The device's answer, whatever its code. A gateway that holds it no more passes the command on; where it is away,
    any other one takes it.

    Raises NotAnswered where the device is silent, Conflict where the gateway does not know it, InvalidRequest where
    the command cannot be sent to it, Unavailable where the gateway or NATS is away.
    """
    command = command.model_copy(update={"send_by": datetime.now(UTC) + timedelta(seconds=QUEUE_S)})
    payload = command.model_dump_json().encode()
    timeout_s = QUEUE_S + command.timeout_s + REPLY_S
    reply = await bus.request(payload, timeout_s, subjects.gateway_request(gateway), subjects.ANY_GATEWAY_REQUEST)
    if reply is None:
        raise Unavailable(f"The gateway {gateway} of this device is away; try again shortly.")
    answer = answer_adapter.validate_json(reply)
    if isinstance(answer, CommandFailure):
        raise _refusal(answer)
    return answer


def _refusal(failure: CommandFailure) -> FlowNexusError:
    match failure.error:
        case "not-registered":
            return Conflict(f"The device is not registered: {failure.reason}. Ask again after its next Register.")
        case "unreachable":
            return NotAnswered(f"The device cannot be reached now: {failure.reason}.")
        case "no-answer":
            return NotAnswered(f"The device did not answer: {failure.reason}.")
        case "invalid":
            return InvalidRequest(failure.reason)
        case "unavailable" | "answer-lost":
            return Unavailable(failure.reason)
        case "not-sent":
            return Unavailable(f"The device was not asked: {failure.reason}. Try again shortly.")
