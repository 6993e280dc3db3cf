"""Asks a gateway to send an operation's request, and says what became of it."""

from __future__ import annotations

from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from pydantic import ValidationError

from flownexus_schemas import subjects
from flownexus_schemas.commands import CommandAnswer, answer_adapter
from flownexus_schemas.operations.lifecycle import (
    CANNOT_BE_SENT,
    Confirmed,
    GivenUp,
    NotSent,
    Refused,
    Unanswered,
    after_answer,
    after_silence,
)
from flownexus_schemas.operations.operation import Operation, keepable

MARGIN_S = 10.0
"""A gateway gives its answer within the command's own time and this; after that none is to come."""

LOOK_S = 1.0
"""What a gateway has to say which process it is."""

Outcome = Confirmed | Refused | Unanswered | GivenUp | NotSent


class GatewayAway(Exception):
    """It does not listen, or cannot send now."""


async def process_of(client: Client, gateway: str) -> str | None:
    """Which process a gateway is; None where it does not say."""
    try:
        return (await client.request(subjects.gateway_alive(gateway), b"", timeout=LOOK_S)).data.decode()
    except (NatsError, TimeoutError, UnicodeDecodeError):
        return None


async def ask(client: Client, gateway: str, operation: Operation, timeout_s: float) -> Outcome | None:
    """What became of the attempt that `operation` is in; None where the bus lost sight of it. Raises GatewayAway.

    `timeout_s`: seconds that the gateway waits for the device.
    """
    command = operation.command.model_copy(
        update={"operation_id": operation.id, "operation_attempt": operation.attempts, "timeout_s": timeout_s}
    )
    try:
        reply = await client.request(
            subjects.gateway_request(gateway), command.model_dump_json().encode(), timeout=timeout_s + MARGIN_S
        )
        answer = answer_adapter.validate_json(reply.data)
    except NoRespondersError as error:
        raise GatewayAway(f"gateway {gateway} is away") from error
    except (NatsError, TimeoutError, ValidationError):
        return None
    if isinstance(answer, CommandAnswer):
        return after_answer(keepable(answer))
    match answer.error:
        case "unavailable":
            raise GatewayAway(answer.reason)
        case "not-registered" | "unreachable":
            return NotSent(answer.reason)
        case "invalid":
            return Refused(f"{CANNOT_BE_SENT}: {answer.reason}.")
        case "no-answer":
            return after_silence(operation, answer.reason)
